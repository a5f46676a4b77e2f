//! How many tests there were, as cargo's own result lines say.

/// Sums over many result lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Tests that said that what they need is not there.
    pub(crate) skipped: u64,
}

impl Tally {
    /// Takes one line of the output of `cargo test -- --show-output`.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim_start();
        if line.starts_with("skipped: ") {
            self.skipped += 1;
        }
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|number| number.parse::<u64>().ok());
            match (number, words.next()) {
                (Some(number), Some("passed")) => self.passed += number,
                (Some(number), Some("failed")) => self.failed += number,
                (Some(number), Some("ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_others_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 12.30s",
            "test tally::tests::5 passed ... ok",
            "skipped: ../shared/data is not there",
        ] {
            tally.read(line);
        }
        let expected = Tally {
            passed: 13,
            failed: 2,
            ignored: 1,
            skipped: 1,
        };
        assert_eq!(tally, expected);
    }
}
