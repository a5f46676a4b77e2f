//! What all clients of a run share: the disk, the server while it is up, chance, and the
//! trace.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use matchbook::app::App;
use matchbook::inside;
use matchbook::metrics::Metrics;
use matchbook::operations::Operations;
use matchbook::retention::Retention;
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::Policy;
use matchbook_store::simulated::{Disk, Options, Random, Simulated};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::history::History;
use crate::plan::Plan;
use crate::signal::Signal;

/// The time of day when each run begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// Longer than anything takes.
const EVER: Duration = Duration::from_secs(24 * 60 * 60);

/// One opening of the store, and the server on it.
pub(crate) struct Server {
    pub(crate) app: Arc<App<Simulated>>,
    tasks: Vec<AbortHandle>,
    gone: Signal,
}

impl Server {
    /// What comes of something, unless the server goes before.
    pub(crate) async fn while_up<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.gone.given() => None,
            done = work => Some(done),
        }
    }

    fn store(&self) -> &Simulated {
        self.app.store()
    }
}

/// A run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) disk: Disk,
    pub(crate) history: RefCell<History>,
    /// All writers are done: readers are to come to the end.
    pub(crate) finished: Signal,
    is_calm: Cell<bool>,
    random: RefCell<Random>,
    server: RefCell<Option<Rc<Server>>>,
    started: Notify,
    trace: RefCell<DefaultHasher>,
    faults: RefCell<Vec<String>>,
    shows: bool,
    begun: Instant,
}

impl World {
    pub(crate) fn new(plan: Plan, shows: bool) -> Self {
        let mut random = Random::new(plan.seed);
        fastrand::seed(random.number());
        inside::set_time(Timestamp::from_millis(BEGIN_MS));
        Self {
            disk: Disk::new(random.number()),
            history: RefCell::default(),
            finished: Signal::default(),
            is_calm: Cell::new(false),
            random: RefCell::new(random),
            server: RefCell::default(),
            started: Notify::new(),
            trace: RefCell::default(),
            faults: RefCell::default(),
            shows,
            begun: Instant::now(),
            plan,
        }
    }

    /// A number below this one.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.random.borrow_mut().below(end)
    }

    pub(crate) fn happens(&self, per_mille: u64) -> bool {
        self.random.borrow_mut().happens(per_mille)
    }

    pub(crate) fn one_of<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.random.borrow_mut().place(all.len())]
    }

    /// A pause that chance decides.
    pub(crate) async fn pause(&self, most_ms: u64) {
        let wait = self.random.borrow_mut().wait(most_ms);
        tokio::time::sleep(wait).await;
    }

    /// How long a client waits for an answer.
    pub(crate) fn patience(&self) -> Duration {
        if !self.is_calm.get() && self.happens(self.plan.impatient_per_mille) {
            let most_ms = self.plan.options.most_wait_ms * 5;
            self.random.borrow_mut().wait(most_ms)
        } else {
            EVER
        }
    }

    /// Adds to the trace; the text is made only where somebody looks.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        let at = self.begun.elapsed();
        let text = text();
        (at, &text).hash(&mut *self.trace.borrow_mut());
        if self.shows {
            println!("{:>9.3} {text}", at.as_secs_f64());
        }
    }

    /// Something is not as it has to be.
    pub(crate) fn fault(&self, what: String) {
        self.note(|| format!("FAULT: {what}"));
        self.faults.borrow_mut().push(what);
    }

    pub(crate) fn take_faults(&self) -> Vec<String> {
        self.faults.take()
    }

    /// What the trace comes to.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.borrow().finish()
    }

    /// The server; waits until it is up.
    pub(crate) async fn server(&self) -> Rc<Server> {
        loop {
            let found = self.server.borrow().clone();
            match found {
                Some(server) => return server,
                None => self.started.notified().await,
            }
        }
    }

    /// Starts a server on what is on the disk.
    pub(crate) async fn start(&self) {
        let options = Options {
            lost_per_mille: 0,
            full_per_mille: 0,
            unread_per_mille: 0,
            ..self.plan.options
        };
        let options = if self.is_calm.get() {
            options
        } else {
            self.plan.options
        };
        let store = Simulated::open(&self.disk, options);
        let backup = Arc::new(|_: &Path| Err("no backups".to_owned()));
        let operations = Operations::new(Path::new("no-files"), backup);
        let metrics = Arc::new(Metrics::default());
        let app = App::new(store, Policy::default(), metrics, operations, false);
        let app = Arc::new(app);
        while app.load().await.is_err() {}
        let mut tasks = vec![tokio::spawn(inside::tell(Arc::clone(&app))).abort_handle()];
        if let Some(changes) = self.plan.kept {
            let retention = Retention {
                age: Duration::ZERO,
                changes,
                max_bytes: None,
            };
            let app = Arc::clone(&app);
            let keep = tokio::spawn(async move { retention.keep(&app).await });
            tasks.push(keep.abort_handle());
        }
        self.note(|| "the server is up".to_owned());
        self.server.replace(Some(Rc::new(Server {
            app,
            tasks,
            gone: Signal::default(),
        })));
        self.started.notify_waiters();
    }

    /// Stops the machine at this moment.
    pub(crate) fn crash(&self) {
        let Some(server) = self.server.take() else {
            return;
        };
        server.store().crash();
        server.tasks.iter().for_each(AbortHandle::abort);
        server.gone.give();
        self.note(|| "the machine is gone".to_owned());
    }

    /// Whether the store has stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        use matchbook_store::Store;
        let server = self.server.borrow();
        let server = server.as_ref();
        server.is_some_and(|server| !server.store().status().writable)
    }

    /// From now on nothing fails.
    pub(crate) fn calm(&self) {
        self.is_calm.set(true);
    }

    /// Sets the time of day, up to an hour forward or back.
    pub(crate) fn set_clock(&self) {
        let hours_ms = 2 * 60 * 60 * 1_000;
        let at = BEGIN_MS - hours_ms / 2 + self.below(hours_ms);
        inside::set_time(Timestamp::from_millis(at));
        self.note(|| format!("it is {at}"));
    }
}
