//! The checksum of one page.

/// Bytes of a page: the only size of which pages are recognised.
pub const PAGE_BYTES: usize = 4_096;

/// Bytes at the end of each page that hold its checksum. A CRC-32 finds any three wrong bits
/// in a page of this size and all but one in four milliards of other faults.
pub const CHECKSUM_BYTES: usize = 4;

pub(crate) type Page = [u8; PAGE_BYTES];

/// The number of the page with this index in the file. What is beyond SQLite's largest
/// number is no page of a database.
pub(crate) fn number(index: u64) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Writes the checksum into the page.
pub(crate) fn seal(number: u32, page: &mut Page) {
    if let Some((content, sum)) = page.split_last_chunk_mut() {
        *sum = checksum(number, content);
    }
}

/// Whether a page is what was written under this number. One of zeros has never been
/// written: SQLite leaves such where a page is free from the beginning.
pub(crate) fn is_sound(number: u32, page: &Page) -> bool {
    let Some((content, sum)) = page.split_last_chunk() else {
        return false;
    };
    checksum(number, content) == *sum || page.iter().all(|byte| *byte == 0)
}

/// Depends on the number too, so that a page that the disk put in another's place is found.
fn checksum(number: u32, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = crc32fast::Hasher::new_with_initial(number);
    sum.update(content);
    sum.finalize().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(seed: u8) -> Page {
        let mut page = [seed; PAGE_BYTES];
        page[0] = 1;
        page
    }

    #[test]
    fn any_wrong_bit_is_found() {
        let mut page = page(7);
        seal(3, &mut page);
        assert!(is_sound(3, &page));
        for at in 0..PAGE_BYTES * 8 {
            page[at / 8] ^= 1 << (at % 8);
            assert!(!is_sound(3, &page), "{at}");
            page[at / 8] ^= 1 << (at % 8);
        }
    }

    #[test]
    fn a_page_in_anothers_place_is_found() {
        let mut page = page(7);
        seal(3, &mut page);
        for number in [0, 1, 2, 4, 5, u32::MAX] {
            assert!(!is_sound(number, &page), "{number}");
        }
    }

    #[test]
    fn a_page_that_was_never_written_is_sound() {
        assert!(is_sound(9, &[0; PAGE_BYTES]));
        let mut page = [0; PAGE_BYTES];
        page[PAGE_BYTES - 1] = 1;
        assert!(!is_sound(9, &page));
    }

    proptest! {
        #[test]
        fn any_few_wrong_bits_are_found(
            seed: u8,
            number: u32,
            bits in prop::collection::btree_set(0..PAGE_BYTES * 8, 1..64),
        ) {
            let mut page = page(seed);
            seal(number, &mut page);
            for at in bits {
                page[at / 8] ^= 1 << (at % 8);
            }
            prop_assert!(!is_sound(number, &page));
        }
    }
}
