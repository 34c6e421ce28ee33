//! What a command line names: files, and pipes, which cannot be read a second time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::foreign::HEAD_BYTES;

/// An input that is open, with how it begins.
pub struct Input {
    path: PathBuf,
    file: File,
    /// Where it begins: standard input may be a file of which the shell has read a part. `None` for
    /// a pipe.
    start: Option<u64>,
    head: Vec<u8>,
}

impl Input {
    /// Opens a file or a pipe, `-` for standard input, and reads how it begins.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = if is_stdin(path) {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(path)?
        };
        Self::of_file(path, file)
    }

    pub(super) fn of_file(path: &Path, mut file: File) -> io::Result<Self> {
        let start = if file.metadata()?.is_file() { Some(file.stream_position()?) } else { None };
        let mut head = Vec::new();
        file.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
        Ok(Self { path: path.to_owned(), file, start, head })
    }

    /// How it begins.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// All of it.
    pub fn lines(self) -> Box<dyn BufRead> {
        Box::new(Cursor::new(self.head).chain(BufReader::new(self.file)))
    }

    /// Whether it is a file, which can be read a second time.
    pub(super) fn is_file(&self) -> bool {
        self.start.is_some()
    }

    /// All of it now, and the same again: of a file from its beginning, of a pipe nothing. A named
    /// file is closed meanwhile: there may be more of them than a process may have open.
    pub(super) fn lines_and_again(self) -> (Box<dyn BufRead>, Box<dyn BufRead>) {
        let again: Box<dyn BufRead> = match (self.start, self.file.try_clone()) {
            (None, _) => Box::new(io::empty()),
            (Some(start), Ok(file)) if is_stdin(&self.path) => {
                Box::new(BufReader::new(Again::Open(file, start)))
            }
            (Some(_), _) => Box::new(BufReader::new(Again::Closed(self.path.clone()))),
        };
        (self.lines(), again)
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A file that is read from its beginning when it is asked for.
enum Again {
    Closed(PathBuf),
    Open(File, u64),
    Reading(File),
}

impl Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Again::Closed(path) => *self = Again::Reading(File::open(path)?),
            Again::Open(file, start) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(*start))?;
                *self = Again::Reading(file);
            }
            Again::Reading(_) => {}
        }
        match self {
            Again::Reading(file) => file.read(buffer),
            Again::Closed(_) | Again::Open(..) => Ok(0),
        }
    }
}
