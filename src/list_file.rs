//! A file of settings with one item per line. Blank lines and lines that begin with `#` are
//! ignored.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::denied::explain;
use crate::text_file;

/// The most bytes that are read, which is room for some 10,000 lines. The path may lead to
/// anything.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The kind of lines, for error messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListItem {
    /// The name of one item, as in "API key".
    pub(crate) item: &'static str,
    /// The expected form of a line.
    pub(crate) expected: &'static str,
}

/// Why a file of items cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListFileError {
    /// The file cannot be read.
    #[error("cannot read the {0}s in {path}", path = .1.display())]
    Io(&'static str, PathBuf, #[source] io::Error),
    /// A line is not such an item. The line is not shown, because it may be a secret.
    #[error("{path}, line {line}: {expected}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// The expected form.
        expected: &'static str,
    },
    /// The file has no item.
    #[error("{path} holds no {0}", path = .1.display())]
    Empty(&'static str, PathBuf),
}

/// Reads all items of a file, in order.
pub(crate) fn read<T>(
    path: &Path,
    kind: ListItem,
    parse: fn(&str) -> Option<T>,
) -> Result<Vec<T>, ListFileError> {
    let unread = |error| ListFileError::Io(kind.item, path.to_owned(), explain(path, error));
    let text = text(path).map_err(unread)?;
    let mut items = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let malformed = || ListFileError::Malformed {
            path: path.to_owned(),
            line: index + 1,
            expected: kind.expected,
        };
        items.push(parse(line).ok_or_else(malformed)?);
    }
    if items.is_empty() { Err(ListFileError::Empty(kind.item, path.to_owned())) } else { Ok(items) }
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    text_file::text(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: ListItem = ListItem { item: "number", expected: "expected a number" };

    fn numbers(text: &str) -> Result<Vec<u32>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let name = file.path().display().to_string();
        let read = read(file.path(), NUMBERS, |line| line.parse().ok());
        read.map_err(|error| crate::chain::chain(&error).replace(&name, "FILE"))
    }

    #[test]
    fn lines_are_items_but_for_blank_ones_and_those_that_begin_with_a_hash_sign() {
        for (text, items) in [
            ("1", Ok(vec![1])),
            ("# numbers\r\n\r\n 1\r\n\t2 \n#3\n", Ok(vec![1, 2])),
            ("", Err("FILE holds no number")),
            ("\n# 1\n", Err("FILE holds no number")),
            ("1\n\n2 # two\n", Err("FILE, line 3: expected a number")),
        ] {
            assert_eq!(numbers(text), items.map_err(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn a_file_without_an_end_is_read_only_so_far() {
        let said = numbers(&"\n".repeat(FILE_BYTES_MAX as usize + 1)).unwrap_err();
        assert_eq!(said, "cannot read the numbers in FILE: it has more than 1048576 bytes");
        let read = |path: &str| read(Path::new(path), NUMBERS, |line| line.parse::<u32>().ok());
        let said = crate::chain::chain(&read("/nowhere").unwrap_err());
        assert_eq!(
            said,
            "cannot read the numbers in /nowhere: No such file or directory (os error 2)"
        );
    }
}
