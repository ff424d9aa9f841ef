//! `serve --stdio`: one repository through standard input and output, as `ssh` runs it.

use crate::app::error::AppError;
use crate::app::serve::answer::{Readers, answer, as_sync, insist};
use crate::app::serve::begin::{begin_at, open_at};
use crate::app::serve::rights::{Rights, of_handle};
use crate::base::time::Clock;
use crate::repo::Repository;
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
    let host = Host { options, clock, readers: Readers::default(), open: Mutex::new(None) };
    serve(input, output, &host).map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        AppError::Io { action: "answering through", path: "the pipe".into(), source }
    })
}

struct Host<'a> {
    options: &'a Options,
    clock: &'a dyn Clock,
    readers: Readers,
    open: Mutex<Option<Arc<Repository>>>,
}

impl Host<'_> {
    fn repository(&self) -> SyncResult<Arc<Repository>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = open.as_ref() {
            return Ok(repository.clone());
        }
        let nothing = || SyncError::Nothing { address: "that place".to_owned() };
        let repository = Arc::new(open_at(&self.options.path).map_err(as_sync)?.ok_or_else(nothing)?);
        *open = Some(repository.clone());
        Ok(repository)
    }
}

impl PipeHost for Host<'_> {
    fn answer(&self, request: Request, out: &mut FrameSink<'_>) -> SyncResult<()> {
        if let Request::Begin { repository, chunker } = &request {
            let rights = self.options.person.as_ref().map_or_else(Rights::local, |_| Rights::none("person"));
            insist(&rights, request.verb())?;
            begin_at(&self.options.path, *repository, *chunker).map_err(as_sync)?;
        }
        let (repository, now) = (self.repository()?, self.clock.now());
        let rights = match &self.options.person {
            None => Rights::local(),
            Some(handle) => of_handle(&repository, handle, now).map_err(as_sync)?,
        };
        answer(&repository, &rights, &self.readers, (request, now), out)
    }
}
