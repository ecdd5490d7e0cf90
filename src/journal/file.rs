//! One JSON line an entry, one file a run: `$XDG_STATE_HOME/meshscrape/<context>/<run>.jsonl`.
//!
//! A line is on disk (file synced, and its folder when the file is new) before `append` returns, because
//! the write to the cluster that it announces is sent right after. One process at a time writes to the
//! journal of a context; the lock goes with the process, however it ends.

use super::{VERSION, newest_first, no_such_run, note, nothing_to_undo, offered};
use crate::cluster::api::encode;
use crate::engine::session::{Journal, RunNote};
use crate::error::Error;
use crate::plan::record::Entry;
use crate::words::say::journal as say;
use etcetera::base_strategy::{BaseStrategy, Xdg};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const ENDING: &str = "jsonl";

/// The journal of one kube-context on this machine.
#[derive(Debug)]
pub struct FileJournal {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Held while a run of this process is open.
    lock: Option<File>,
    /// The runs that this process writes, each with its file and where that ends.
    open: BTreeMap<String, (File, u64)>,
    warnings: Vec<String>,
}

impl FileJournal {
    /// The journal of a kube-context, in the user's state folder. Touches nothing yet.
    ///
    /// # Errors
    /// No home folder is known.
    pub fn of_context(context: &str) -> Result<Self, Error> {
        Ok(FileJournal::at(state_folder()?.join(folder_name(context))))
    }

    /// The journals that stand on this machine: of that kube-context, or of all. None: no run was ever made.
    ///
    /// # Errors
    /// No home folder is known, or the folder of the journals cannot be read.
    pub fn of_machine(context: Option<&str>) -> Result<Vec<Self>, Error> {
        let folder = state_folder()?;
        if let Some(context) = context {
            return Ok(vec![FileJournal::at(folder.join(folder_name(context)))]);
        }
        let unreadable = |e: io::Error| {
            Error::new(say::cannot_be_read(&folder.display()))
                .cause(crate::fault::io(&e))
                .hint(say::MAKE_FOLDER_READABLE)
        };
        let listing = match std::fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(unreadable(e)),
        };
        let mut journals = Vec::new();
        for found in listing {
            let path = found.map_err(unreadable)?.path();
            if path.is_dir() {
                journals.push(FileJournal::at(path));
            }
        }
        Ok(journals)
    }

    /// The journal in that folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        FileJournal {
            folder: folder.into(),
            state: Mutex::default(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}.{ENDING}"))
    }

    fn unwritable(&self, cause: &io::Error) -> Error {
        let error = Error::refused(say::journal_not_written(&self.folder.display())).cause(cause);
        match cause.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => error.hint(say::MAKE_ROOM),
            _ => error.hint(say::MAKE_FOLDER_WRITABLE),
        }
    }

    fn make_folder(&self) -> io::Result<()> {
        if self.folder.is_dir() {
            let mode = std::fs::metadata(&self.folder)?.permissions().mode();
            if mode & 0o077 != 0 {
                std::fs::set_permissions(&self.folder, Permissions::from_mode(0o700))?;
            }
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        if let Some(parent) = self.folder.parent() {
            sync_folder(parent)?;
        }
        sync_folder(&self.folder)
    }

    fn take_lock(&self, state: &mut State) -> Result<(), Error> {
        if state.lock.is_some() {
            return Ok(());
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.folder.join("lock"))
            .map_err(|e| self.unwritable(&e))?;
        match file.try_lock() {
            Ok(()) => state.lock = Some(file),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::refused(say::ANOTHER_RUN)
                    .cause(say::it_holds(&self.folder.join("lock").display()))
                    .hint(say::WAIT_THEN_REVIEW));
            }
            Err(TryLockError::Error(e)) => return Err(self.unwritable(&e)),
        }
        Ok(())
    }

    fn write_line(&self, entry: &Entry, state: &mut State) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let run = entry.run();
        let begins = matches!(entry, Entry::Started { .. });
        if begins && state.open.contains_key(run) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let open = state.open.remove(run);
        let stays = open.is_some() || begins;
        let (mut file, end) = match open {
            // As this process left it; else somebody has edited or moved it, and it is looked for again.
            Some((file, end)) if as_left(&file, end)? => (file, end),
            _ => self.at_end(entry, state)?,
        };
        file.seek(SeekFrom::Start(end))?;
        if let Err(error) = file.write_all(&line).and_then(|()| file.sync_all()) {
            // Leaves no torn line behind, and no run that never began; the write's own error is the one to tell.
            let _ = file.set_len(end);
            if begins {
                let _ = std::fs::remove_file(self.path(run));
            } else if stays {
                state.open.insert(run.to_owned(), (file, end));
            }
            return Err(error);
        }
        if begins {
            sync_folder(&self.folder)?;
        }
        if stays {
            let end = end + line.len() as u64;
            state.open.insert(run.to_owned(), (file, end));
        }
        Ok(())
    }

    /// The file of the entry's run and where its last whole line ends; what is torn after that is cut off.
    fn at_end(&self, entry: &Entry, state: &mut State) -> io::Result<(File, u64)> {
        let run = entry.run();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(matches!(entry, Entry::Started { .. }))
            .mode(0o600)
            .open(self.path(run))?;
        let (end, torn) = sound_end(&mut file)?;
        if torn {
            state.warnings.push(say::torn_line_dropped(run));
            file.set_len(end)?;
        }
        Ok((file, end))
    }

    /// The runs that there are, newest first.
    fn names(&self) -> Result<Vec<String>, Error> {
        let unreadable = |e: io::Error| {
            Error::new(say::journal_cannot_be_read(&self.folder.display()))
                .cause(crate::fault::io(&e))
                .hint(say::MAKE_FOLDER_READABLE)
        };
        let listing = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(unreadable(e)),
        };
        let mut names = Vec::new();
        for file in listing {
            let path = file.map_err(unreadable)?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    fn read(&self, run: &str) -> Result<Vec<Entry>, Error> {
        let path = self.path(run);
        let bytes = std::fs::read(&path).map_err(|e| {
            Error::new(say::cannot_be_read(&path.display()))
                .cause(crate::fault::io(&e))
                .hint(say::MAKE_FILE_READABLE)
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let mut entries = Vec::with_capacity(lines.len());
        for (at, line) in lines.iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(Entry::Started { version, .. }) if version > VERSION => {
                    return Err(Error::new(say::of_a_newer_meshscrape(&path.display()))
                        .cause(say::version_is_newer(&version, &VERSION))
                        .hint(say::UNDO_WITH_THE_NEWER));
                }
                Ok(entry) => entries.push(entry),
                // Only the last line can have been cut by a crash: each one before it was synced.
                Err(_) if at + 1 == lines.len() && at > 0 => {
                    self.state().warnings.push(say::torn_line_ignored(run))
                }
                Err(e) => {
                    return Err(Error::new(say::line_is_damaged(&path.display(), at + 1))
                        .cause(e)
                        .hint(say::FIX_THE_LINE));
                }
            }
        }
        Ok(entries)
    }

    fn notes(&self) -> Result<Vec<RunNote>, Error> {
        let mut runs = Vec::new();
        for name in self.names()? {
            match self.read(&name) {
                Ok(entries) => runs.extend(note(&entries)),
                Err(error) => self.state().warnings.push(say::run_is_ignored(
                    &name,
                    &error.what,
                    &error.causes.join(", "),
                )),
            }
        }
        Ok(newest_first(runs))
    }
}

impl Journal for FileJournal {
    fn append(&self, entry: &Entry) -> Result<(), Error> {
        let mut state = self.state();
        self.make_folder().map_err(|e| self.unwritable(&e))?;
        self.take_lock(&mut state)?;
        let written = self
            .write_line(entry, &mut state)
            .map_err(|e| self.unwritable(&e));
        if let Entry::Ended { run, .. } = entry {
            state.open.remove(run);
        }
        if state.open.is_empty() {
            state.lock = None;
        }
        written
    }

    fn run(&self, run: Option<&str>) -> Result<Vec<Entry>, Error> {
        match run {
            // Compared with the list rather than made a path of: the name comes from the user.
            Some(run) if self.names()?.iter().any(|name| name == run) => self.read(run),
            Some(run) => Err(no_such_run(run, &self.notes()?)),
            None => match offered(&self.notes()?) {
                Some(run) => self.read(run),
                None => {
                    Err(nothing_to_undo().hint(say::kept_on_the_machine(&self.folder.display())))
                }
            },
        }
    }

    fn runs(&self) -> Result<Vec<RunNote>, Error> {
        self.notes()
    }

    fn damaged(&self) -> Vec<String> {
        let mut names = self.names().unwrap_or_default();
        names.retain(|name| self.read(name).is_err());
        names
    }

    fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.state().warnings)
    }
}

/// Is the file still there under its name, and as long as it was?
fn as_left(file: &File, end: u64) -> io::Result<bool> {
    let now = file.metadata()?;
    Ok(now.nlink() > 0 && now.len() == end)
}

/// Where the last whole line ends, and whether something torn follows it.
fn sound_end(file: &mut File) -> io::Result<(u64, bool)> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let end = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    Ok((end as u64, end < bytes.len()))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A context's name as one folder name: contexts may hold slashes and colons, and be long.
/// Where the journals of all contexts stand.
fn state_folder() -> Result<PathBuf, Error> {
    let home = Xdg::new().map_err(|e| {
        Error::new(say::NO_PLACE_FOR_THE_JOURNAL)
            .cause(e)
            .hint(say::SET_HOME)
    })?;
    let state = home.state_dir().unwrap_or_else(|| home.data_dir());
    Ok(state.join("meshscrape"))
}

fn folder_name(context: &str) -> String {
    let name = encode(context);
    let dots = name.chars().all(|c| c == '.');
    if !dots && name.len() <= 200 {
        return name;
    }
    let hash = Sha256::digest(context.as_bytes());
    let hash: String = hash.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let start: String = name.chars().filter(|c| *c != '.').take(180).collect();
    format!("{start}-{hash}")
}
