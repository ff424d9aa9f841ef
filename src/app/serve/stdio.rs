//! `serve --stdio`: one repository through standard input and output, as `ssh` runs it.

use crate::app::error::AppError;
use crate::app::serve::answer::{answer, as_sync, insist};
use crate::app::serve::begin::begin_at;
use crate::app::serve::places::Opened;
use crate::app::serve::rights::{Rights, of_handle};
use crate::base::time::Clock;
use crate::rules::policy::Handle;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::wire::pipe::{PipeHost, serve};
use crate::sync::wire::request::Request;
use crate::sync::wire::serve::FrameSink;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the repository is.
    pub path: PathBuf,
    /// The person of its policy who asks, of whom whoever starts this has made sure; without one, whoever
    /// can start this may do everything.
    pub person: Option<Handle>,
}

/// Answers until the input ends.
pub fn run(
    options: &Options,
    input: &mut dyn Read,
    output: &mut (dyn Write + Send),
    clock: &dyn Clock,
) -> Result<(), AppError> {
    let host = Host { options, clock, open: Mutex::new(None) };
    serve(input, output, &host).map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        AppError::Io { action: "answering through", path: "the pipe".into(), source }
    })
}

struct Host<'a> {
    options: &'a Options,
    clock: &'a dyn Clock,
    open: Mutex<Option<Arc<Opened>>>,
}

impl Host<'_> {
    fn opened(&self) -> SyncResult<Arc<Opened>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.as_ref().filter(|found| found.is_in_place()) {
            return Ok(found.clone());
        }
        let nothing = || SyncError::Nothing { address: "that place".to_owned() };
        let found = Arc::new(Opened::at(&self.options.path).map_err(as_sync)?.ok_or_else(nothing)?);
        *open = Some(found.clone());
        Ok(found)
    }
}

impl PipeHost for Host<'_> {
    fn answer(&self, request: Request, out: &mut FrameSink<'_>) -> SyncResult<()> {
        if let Request::Begin { repository, chunker } = &request {
            let rights = self.options.person.as_ref().map_or_else(Rights::local, |_| Rights::none("person"));
            insist(&rights, request.verb())?;
            begin_at(&self.options.path, *repository, *chunker).map_err(as_sync)?;
        }
        let (opened, now) = (self.opened()?, self.clock.now());
        let rights = match &self.options.person {
            None => Rights::local(),
            Some(handle) => of_handle(&opened.repository, handle, now).map_err(as_sync)?,
        };
        answer(&opened.repository, &rights, &opened.readers, (request, now), out)
    }
}
