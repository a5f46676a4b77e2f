//! A whole server, asked whatever comes to mind, against a model of a few lines.

mod client;
mod model;
mod running;

use crate::input::Input;
use model::Model;

/// Most requests to one server.
const STEPS: usize = 64;

/// The input is choices: of each request the method, the document, the preconditions and
/// the content.
pub fn server(data: &[u8]) {
    running::with(|address| {
        let mut input = Input::new(data);
        let mut model = Model::new(address);
        for _ in 0..STEPS {
            if input.is_empty() {
                break;
            }
            model.step(&mut input);
        }
        model.is_told();
    });
}
