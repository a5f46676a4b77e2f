//! How long decisions take: `cargo run --release -p matchbook-access --example policies`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use matchbook_access::policy::{Action, Place, Policies, Schema, Type, sets};
use matchbook_access::{Kind, Principal};
use serde_json::{Value, json};

/// Decisions in one measurement.
const TIMES: u32 = 100_000;

/// A policy that reads five members, one of them behind all others.
const MEMBERS: &str = r#"
permit (principal, action, resource is Document)
when { principal has claims.role }
when { resource has document }
when { resource.document has status && resource.document.status == "open" }
when { resource.document has team && resource.document.team == principal.claims.role }
when { resource.document has level && resource.document.level < 5 }
when { resource.document has tags && resource.document.tags.contains("a") };
forbid (principal, action, resource is Document)
when { resource has document.locked && resource.document.locked };
"#;

const PATH: &str = r#"
permit (principal, action, resource is Document)
when { principal has id && resource.path like "/notes/*" };
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let members = json!({"properties": {
        "status": {"enum": ["open", "done"]}, "team": {"type": "string"},
        "level": {"type": "integer"}, "locked": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}}
    }});
    let schema = Schema::new(&[("notes", &members)], &[("role", Type::String)])?;
    let read = |text: &str| {
        let told = |faults: Vec<_>| format!("{faults:?}");
        Policies::parse(&[("example", text)], &schema).map_err(told)
    };
    let (open, owner) = (read(sets::OPEN)?, read(sets::OWNER)?);
    let (members, path) = (read(MEMBERS)?, read(PATH)?);
    let claims = json!({"role": "red", "iat": 1, "exp": 2, "scope": "a b c"});
    let principal = Principal {
        kind: Kind::User,
        id: "ann".into(),
        claims: claims.as_object().cloned().unwrap_or_default().into(),
        expires_secs: None,
    };
    let place = Place::Document("/notes/0197e4f0-7a55-7c21-b0b4-1c1f2a3b4c5d");
    let document = document();
    println!("a document of {} bytes", document.len());

    measure("a caller", || {
        black_box(owner.caller(&principal));
        true
    });
    for (name, policies, document) in [
        ("open: no document needed", &open, None),
        ("path: no document needed", &path, None),
        (
            "owner: the document's owner",
            &owner,
            Some(document.as_bytes()),
        ),
        (
            "members: five of the document",
            &members,
            Some(document.as_bytes()),
        ),
    ] {
        let caller = policies.caller(&principal);
        measure(name, || {
            policies.permits(&caller, Action::Update, place, document)
        });
    }
    let (caller, mut number) = (owner.caller(&principal), 0);
    measure("owner: another collection each time", || {
        number += 1;
        let path = format!("/notes/{number}/notes/1");
        owner.permits(
            &caller,
            Action::Update,
            Place::Document(&path),
            Some(document.as_bytes()),
        )
    });
    Ok(())
}

/// About a kilobyte, with what policies look at among other members.
fn document() -> String {
    let mut document = json!({
        "title": "A title of some words", "status": "open", "team": "red", "level": 3,
        "tags": ["a", "b", "c"], "price": 10.5, "nothing": null, "owner": "ann"
    });
    if let Value::Object(members) = &mut document {
        for number in 0..12 {
            members.insert(
                format!("field{number}"),
                json!("some text that nobody reads, ".repeat(2)),
            );
        }
    }
    document.to_string()
}

/// How long this process was on a processor, where that can be known: on a busy machine
/// the clock tells how busy it is.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn measure(name: &str, mut decide: impl FnMut() -> bool) {
    let mut permitted = 0;
    for _ in 0..TIMES / 10 {
        permitted += u32::from(decide());
    }
    let (start, cpu_start) = (Instant::now(), cpu_time());
    for _ in 0..TIMES {
        permitted += u32::from(black_box(decide()));
    }
    let elapsed = start.elapsed();
    let on_cpu = cpu_time()
        .zip(cpu_start)
        .map(|(end, start)| end.saturating_sub(start));
    let each = on_cpu.unwrap_or(elapsed) / TIMES;
    println!(
        "{name:<40} {each:>10.2?}  {}",
        if permitted > 0 {
            "permitted"
        } else {
            "refused"
        }
    );
}
