//! The documents that are stored: JSON objects of about twenty members and exactly
//! [`DOCUMENT_BYTES`], the same in every run.
//!
//! A document is one of [`TEMPLATE_COUNT`] templates with two numbers written into
//! it: its own, and the edit that made it. Both have a fixed width, so that neither
//! a PUT nor a merge patch changes the length, and writing one is a copy.

/// The size of each document.
pub(crate) const DOCUMENT_BYTES: usize = 1024;

/// How many differ in more than their numbers: enough that no answer is a constant,
/// few enough that the generator's memory traffic does not matter.
const TEMPLATE_COUNT: u64 = 64;

/// Makes every number ten digits wide; JSON has no leading zeros.
pub(crate) const NUMBER_BASE: u64 = 1_000_000_000;

/// The largest number that keeps ten digits.
const NUMBER_LIMIT: u64 = 9 * NUMBER_BASE;

const NUMBER_WIDTH: usize = 10;

/// A template, and where its two numbers stand.
struct Template {
    bytes: Vec<u8>,
    number_at: usize,
    edit_at: usize,
    priority: u64,
}

/// The values of the member `priority`.
pub(crate) const PRIORITIES: std::ops::RangeInclusive<u8> = 1..=5;

/// Makes documents and patches.
pub(crate) struct Templates {
    templates: Vec<Template>,
    scratch: Vec<u8>,
}

impl Templates {
    /// All templates, from a fixed seed.
    pub(crate) fn new() -> Self {
        let mut random = fastrand::Rng::with_seed(2040);
        let templates = (0..TEMPLATE_COUNT).map(|_| template(&mut random)).collect();
        Self {
            templates,
            scratch: Vec::with_capacity(DOCUMENT_BYTES),
        }
    }

    /// The document `number` as edit `edit` leaves it.
    pub(crate) fn document(&mut self, number: u64, edit: u64) -> &[u8] {
        let index = usize::try_from(number % TEMPLATE_COUNT).unwrap_or_default();
        self.scratch.clear();
        if let Some(template) = self.templates.get(index) {
            self.scratch.extend_from_slice(&template.bytes);
            write_number(&mut self.scratch, template.number_at, number);
            write_number(&mut self.scratch, template.edit_at, edit);
        }
        &self.scratch
    }

    /// How many of the documents `0..size` have this priority.
    pub(crate) fn count_of(&self, priority: u64, size: u64) -> u64 {
        let (turns, rest) = (size / TEMPLATE_COUNT, size % TEMPLATE_COUNT);
        let templates = (0..).zip(&self.templates);
        let matching = templates.filter(|(_, template)| template.priority == priority);
        matching
            .map(|(index, _)| turns + u64::from(index < rest))
            .sum()
    }

    /// The merge patch of edit `edit`: one small member.
    pub(crate) fn patch(&mut self, edit: u64) -> &[u8] {
        self.scratch.clear();
        self.scratch.extend_from_slice(b"{\"edits\":0000000000}");
        write_number(&mut self.scratch, b"{\"edits\":".len(), edit);
        &self.scratch
    }
}

fn write_number(bytes: &mut [u8], at: usize, number: u64) {
    let mut rest = NUMBER_BASE + number % NUMBER_LIMIT;
    let digits = bytes.iter_mut().skip(at).take(NUMBER_WIDTH).rev();
    for (digit, value) in digits.zip(std::iter::from_fn(|| {
        let value = u8::try_from(rest % 10).ok();
        rest /= 10;
        value
    })) {
        *digit = b'0' + value;
    }
}

const WORDS: [&str; 24] = [
    "harbour", "lantern", "meadow", "copper", "quarry", "willow", "signal", "ledger", "pepper",
    "canvas", "granite", "orchard", "violet", "compass", "timber", "silver", "kettle", "bridge",
    "falcon", "marble", "ribbon", "saddle", "thicket", "walnut",
];

fn word(random: &mut fastrand::Rng) -> &'static str {
    WORDS
        .get(random.usize(..WORDS.len()))
        .copied()
        .unwrap_or_default()
}

fn sentence(random: &mut fastrand::Rng, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| word(random)).collect();
    words.join(" ")
}

fn template(random: &mut fastrand::Rng) -> Template {
    let head = format!(
        concat!(
            r#"{{"number":{base},"edits":{base},"title":"{title}","status":"{status}","#,
            r#""priority":{priority},"estimate":{estimate},"done":{done},"assignee":"#,
            r#"{{"name":"{name}","email":"{name}@example.com","active":true}},"#,
            r#""reviewers":["{reviewer}","{other}"],"labels":["{label}","{mark}"],"#,
            r#""created":"2026-0{month}-1{day}T08:30:00.000Z","due":null,"#,
            r#""position":{{"x":{x},"y":{y}}},"parent":"/projects/{parent}","#,
            r#""checklist":[{{"text":"{first}","done":true}},{{"text":"{second}","done":false}}],"#,
            r#""colour":"{colour:06x}","archived":false,"comments":{comments},"watchers":{watchers},"#,
            r#""summary":"{summary}","notes":""#
        ),
        base = NUMBER_BASE,
        title = sentence(random, 4),
        status = ["open", "doing", "done"]
            .get(random.usize(..3))
            .unwrap_or(&"open"),
        priority = random.u8(PRIORITIES),
        estimate = f64::from(random.u8(1..80)) + 0.5,
        done = random.bool(),
        name = word(random),
        reviewer = word(random),
        other = word(random),
        label = word(random),
        mark = word(random),
        month = random.u8(1..10),
        day = random.u8(0..10),
        x = random.u16(..2000),
        y = random.u16(..2000),
        parent = random.u16(..1000),
        first = sentence(random, 3),
        second = sentence(random, 3),
        colour = random.u32(..0x0100_0000),
        comments = random.u8(..50),
        watchers = random.u8(..50),
        summary = sentence(random, 8),
    );
    let mut text = head;
    while text.len() + 2 < DOCUMENT_BYTES {
        text.push_str(word(random));
        text.push(' ');
    }
    text.truncate(DOCUMENT_BYTES - 2);
    text.push_str("\"}");
    let after = |member: &str| text.find(member).map_or(0, |at| at + member.len());
    let (number_at, edit_at) = (after("\"number\":"), after("\"edits\":"));
    let priority = text.get(after("\"priority\":")..).unwrap_or_default();
    let priority = priority.chars().next().and_then(|digit| digit.to_digit(10));
    Template {
        priority: priority.map_or(0, u64::from),
        bytes: text.into_bytes(),
        number_at,
        edit_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_json_of_the_same_size_and_holds_its_numbers() {
        let mut templates = Templates::new();
        for number in 0..200 {
            let bytes = templates.document(number, number * 7);
            assert_eq!(bytes.len(), DOCUMENT_BYTES);
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(value["number"], NUMBER_BASE + number);
            assert_eq!(value["edits"], NUMBER_BASE + number * 7);
            assert!(value.as_object().unwrap().len() >= 20);
        }
    }

    #[test]
    fn documents_of_a_priority_are_counted() {
        let mut templates = Templates::new();
        for size in [0, 10, 64, 200] {
            let mut counts = [0; 10];
            for number in 0..size {
                let bytes = templates.document(number, 0);
                let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                counts[usize::try_from(value["priority"].as_u64().unwrap()).unwrap()] += 1;
            }
            for (priority, &count) in (0..).zip(&counts) {
                assert_eq!(templates.count_of(priority, size), count, "{priority}");
            }
        }
    }

    #[test]
    fn a_patch_keeps_the_length() {
        let mut templates = Templates::new();
        let patch: serde_json::Value = serde_json::from_slice(templates.patch(41)).unwrap();
        let mut value: serde_json::Value =
            serde_json::from_slice(templates.document(3, 0)).unwrap();
        value["edits"] = patch["edits"].clone();
        assert_eq!(serde_json::to_vec(&value).unwrap().len(), DOCUMENT_BYTES);
        assert_eq!(value["edits"], NUMBER_BASE + 41);
    }
}
