//! A folder of files, written whole or not at all.

use crate::error::{Error, Tells};
use crate::plan::export::Export;
use crate::words::say::engine as say;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// Lists the files that an export wrote, one path a line; what is not in it is never replaced or removed.
pub const LIST: &str = ".meshscrape-export";

/// One file to write: a relative path, its text, and whether it may be run.
pub type Entry<'a> = (&'a str, &'a str, bool);

/// Writes an export; one without files leaves the folder as it is.
///
/// # Errors
/// See [`write`].
pub fn put(export: &Export, folder: &Path, overwrite: bool) -> Result<(), Error> {
    if export.files.is_empty() {
        return Ok(());
    }
    let files: Vec<Entry> = export
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.text.as_str(), file.executable))
        .collect();
    write(folder, &files, overwrite)
}

/// Writes the files into a folder that is absent or empty; with `overwrite` also in the place of what an
/// earlier export wrote there, other files staying as they are.
///
/// Everything is written beside the folder first and then put in its place, so that a full disk leaves
/// nothing half done. Modes follow the umask.
///
/// # Errors
/// The path is no folder, holds something, or cannot be written.
pub fn write(folder: &Path, files: &[Entry<'_>], overwrite: bool) -> Result<(), Error> {
    let shown = folder.display();
    let earlier = match fs::metadata(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed(folder, &e)),
        Ok(meta) if !meta.is_dir() => {
            return Err(Error::new(say::is_a_file(&shown)).hint(say::NAME_A_NEW_FOLDER));
        }
        Ok(_) => Some(look(folder, files, overwrite)?),
    };
    let beside = beside(folder)?;
    // What an earlier run left when it was cut off.
    let _ = fs::remove_dir_all(&beside);
    let done = fill(&beside, files)
        .and_then(|()| match &earlier {
            None => fs::rename(&beside, folder),
            Some(old) if old.empty => {
                fs::remove_dir(folder).and_then(|()| fs::rename(&beside, folder))
            }
            Some(old) => replace(&beside, folder, &old.written, files),
        })
        .map_err(|e| failed(folder, &e));
    let _ = fs::remove_dir_all(&beside);
    done
}

/// What stands in the folder.
struct Earlier {
    empty: bool,
    /// Paths that the last export wrote.
    written: Vec<String>,
}

fn look(folder: &Path, files: &[Entry<'_>], overwrite: bool) -> Result<Earlier, Error> {
    let shown = folder.display();
    let mut entries = fs::read_dir(folder).map_err(|e| failed(folder, &e))?;
    if entries.next().is_none() {
        return Ok(Earlier {
            empty: true,
            written: Vec::new(),
        });
    }
    let list = match fs::read_to_string(folder.join(LIST)) {
        Ok(list) => Some(list),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed(folder, &e)),
    };
    if !overwrite {
        let error = Error::new(say::folder_not_empty(&shown));
        return Err(match list {
            Some(_) => error
                .tells(Tells::FolderTaken)
                .hint(say::REPLACE_THAT_EXPORT),
            None => error.hint(say::NAME_A_NEW_FOLDER),
        });
    }
    let Some(list) = list else {
        return Err(Error::new(say::holds_other_files(&shown))
            .cause(say::holds_no_list(LIST))
            .hint(say::NAME_A_NEW_FOLDER));
    };
    let written: Vec<String> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#') && inside(line))
        .map(str::to_owned)
        .collect();
    let stranger = files.iter().find(|(path, ..)| {
        !written.iter().any(|old| old == path) && folder.join(path).symlink_metadata().is_ok()
    });
    if let Some((path, ..)) = stranger {
        return Err(
            Error::new(say::not_of_an_export(&folder.join(path).display())).hint(say::MOVE_IT_AWAY),
        );
    }
    Ok(Earlier {
        empty: false,
        written,
    })
}

/// A path that cannot lead out of the folder.
fn inside(path: &str) -> bool {
    let path = Path::new(path);
    path.components()
        .all(|part| matches!(part, Component::Normal(_)))
}

/// A sibling, so that a rename needs no copy.
fn beside(folder: &Path) -> Result<PathBuf, Error> {
    let Some(name) = folder.file_name() else {
        return Err(Error::new(say::no_folder_name(&folder.display())).hint(say::NAME_A_FOLDER));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".meshscrape-{}", std::process::id()));
    Ok(folder.with_file_name(hidden))
}

fn fill(folder: &Path, files: &[Entry<'_>]) -> io::Result<()> {
    fs::create_dir(folder)?;
    let mut list = format!("# {}\n", say::FILES_OF_THE_EXPORT);
    for (path, text, executable) in files {
        let to = folder.join(path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        one(&to, text, *executable)?;
        list.push_str(path);
        list.push('\n');
    }
    list.push_str(LIST);
    list.push('\n');
    one(&folder.join(LIST), &list, false)
}

fn one(path: &Path, text: &str, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(if executable { 0o777 } else { 0o666 })
        .open(path)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()
}

/// Puts the new files over the old ones, and takes away what only the old export had.
fn replace(from: &Path, folder: &Path, old: &[String], files: &[Entry<'_>]) -> io::Result<()> {
    for (path, ..) in files {
        let to = folder.join(path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(from.join(path), to)?;
    }
    for path in old {
        if path != LIST && !files.iter().any(|(new, ..)| new == path) {
            let gone = folder.join(path);
            match fs::remove_file(&gone) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            // Only where nothing else is in it.
            if let Some(parent) = gone.parent().filter(|parent| *parent != folder) {
                let _ = fs::remove_dir(parent);
            }
        }
    }
    fs::rename(from.join(LIST), folder.join(LIST))
}

fn failed(folder: &Path, error: &io::Error) -> Error {
    Error::new(say::folder_not_written(&folder.display()))
        .cause(crate::fault::io(error))
        .hint(say::NAME_ANOTHER_PLACE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Display;
    use std::os::unix::fs::PermissionsExt;

    const FILES: &[Entry] = &[
        ("README.md", "r", false),
        ("a/b.yaml", "b", false),
        ("x.sh", "x", true),
    ];

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn an_absent_and_an_empty_folder_are_filled_and_nothing_stays_beside() {
        let home = tempfile::tempdir().unwrap();
        let empty = home.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for name in ["new", "empty"] {
            let to = home.path().join(name);
            write(&to, FILES, false).unwrap();
            assert_eq!(names(&to), [LIST, "README.md", "a", "x.sh"]);
            assert_eq!(fs::read_to_string(to.join("a/b.yaml")).unwrap(), "b");
        }
        assert_eq!(names(home.path()), ["empty", "new"]);
        let mode = |path: &str| {
            let meta = fs::metadata(home.path().join("new").join(path)).unwrap();
            meta.permissions().mode() & 0o100
        };
        assert_eq!((mode("x.sh"), mode("README.md")), (0o100, 0));
    }

    #[test]
    fn only_what_an_export_wrote_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let to = home.path().join("out");
        write(&to, FILES, false).unwrap();
        fs::write(to.join("mine.txt"), "mine").unwrap();
        let error = write(&to, FILES, false).unwrap_err().to_string();
        assert!(error.contains(say::REPLACE_THAT_EXPORT), "{error}");
        write(
            &to,
            &[("README.md", "new", false), ("c.yaml", "c", false)],
            true,
        )
        .unwrap();
        assert_eq!(names(&to), [LIST, "README.md", "c.yaml", "mine.txt"]);
        assert_eq!(fs::read_to_string(to.join("README.md")).unwrap(), "new");
        // A file of somebody's is in the way of a new one.
        let error = write(&to, &[("mine.txt", "m", false)], true).unwrap_err();
        assert!(error.what.contains("mine.txt"), "{error}");
        assert_eq!(fs::read_to_string(to.join("mine.txt")).unwrap(), "mine");
        assert_eq!(names(home.path()), ["out"]);
    }

    #[test]
    fn a_list_that_leads_out_of_the_folder_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let to = home.path().join("out");
        fs::create_dir(&to).unwrap();
        fs::write(home.path().join("precious"), "p").unwrap();
        fs::write(to.join(LIST), "../precious\n/etc/hostname\nREADME.md\n").unwrap();
        write(&to, FILES, true).unwrap();
        assert_eq!(
            fs::read_to_string(home.path().join("precious")).unwrap(),
            "p"
        );
    }

    #[test]
    fn what_cannot_be_written_is_one_clear_error() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "f").unwrap();
        for (to, overwrite, words) in [
            (
                file.clone(),
                true,
                say::is_a_file as fn(&dyn Display) -> String,
            ),
            (file.join("below"), false, say::folder_not_written),
            (home.path().join("no/such"), false, say::folder_not_written),
            (home.path().to_owned(), true, say::holds_other_files),
            (PathBuf::from("/"), true, say::holds_other_files),
            (
                PathBuf::from("/proc/nowhere"),
                false,
                say::folder_not_written,
            ),
        ] {
            let error = write(&to, FILES, overwrite).unwrap_err();
            assert_eq!(error.what, words(&to.display()), "{error}");
        }
        assert_eq!(names(home.path()), ["file"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_export_whole() {
        let home = tempfile::tempdir().unwrap();
        let to = home.path().join("out");
        write(&to, FILES, false).unwrap();
        // A name longer than a file's name may be fails as a full disk does: in the midst of writing.
        let long = "y".repeat(300);
        let error = write(
            &to,
            &[("README.md", "new", false), (&long, "l", false)],
            true,
        )
        .unwrap_err();
        assert_eq!(error.what, say::folder_not_written(&to.display()));
        assert_eq!(fs::read_to_string(to.join("README.md")).unwrap(), "r");
        assert_eq!(names(home.path()), ["out"]);
    }
}
