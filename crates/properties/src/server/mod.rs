//! A whole server, asked whatever comes to mind, against a model of a few lines.

mod client;
mod fault;
mod model;
mod running;

use crate::input::Input;
use model::Model;

pub use fault::Fault;

/// Most requests to one server.
const STEPS: usize = 64;

/// The input is choices: of each request the method, the document, the preconditions and
/// the content.
pub fn server(data: &[u8]) {
    ask(data, None);
}

/// The same for a server with a fault, which the model has to notice: it panics, unless the
/// fault made no difference to these requests.
pub fn faulty_server(fault: Fault, data: &[u8]) {
    ask(data, Some(fault));
}

fn ask(data: &[u8], fault: Option<Fault>) {
    running::with(|address| {
        let mut input = Input::new(data);
        let mut model = Model::new(address, fault);
        for _ in 0..STEPS {
            if input.is_empty() {
                break;
            }
            model.step(&mut input);
        }
        model.is_told();
    });
}
