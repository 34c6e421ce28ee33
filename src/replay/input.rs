//! The files and pipes of a command line. A pipe cannot be read twice.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::foreign::HEAD_BYTES;

/// An open input, with its first bytes.
pub struct Input {
    path: PathBuf,
    file: File,
    /// The offset where it begins: standard input may be a file of which the shell has read a part.
    /// `None` for a pipe.
    start: Option<u64>,
    head: Vec<u8>,
}

impl Input {
    /// Opens a file or a pipe, `-` for standard input, and reads its first bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or read.
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

    /// Its first bytes, at most 8 KiB: enough to recognise the kind of file.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// All of its content.
    pub fn lines(self) -> Box<dyn BufRead> {
        Box::new(Cursor::new(self.head).chain(BufReader::new(self.file)))
    }

    /// Whether it is a file, which can be read twice.
    pub(super) fn is_file(&self) -> bool {
        self.start.is_some()
    }

    /// All of its content for a first and a second pass. The second pass of a pipe is empty. A
    /// named file is closed between the passes: there may be more files than a process may have
    /// open.
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

/// The second pass of a file, which begins when it is first read.
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
