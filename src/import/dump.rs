//! A dump of `mysqldump` or `mariadb-dump`: the statements that make a table and fill it.

use std::collections::HashMap;

use super::columns::Header;
use super::lines::{has_nul, not_utf_8, too_long};
use super::sql_text::{SqlText, Token};
use super::{BadSource, Mapping, RefusedRow, Row, Rows, Source, Step};

/// The end of a complete dump, in a comment.
const COMPLETED: &str = "Dump completed";
/// The beginning of a dump whose end is marked.
const BEGINNINGS: [&str; 2] = ["MySQL dump", "MariaDB dump"];
/// The most columns of a table, as in InnoDB.
const COLUMNS_MAX: usize = 1017;
/// The most tables whose columns are remembered.
const TABLES_MAX: usize = 10_000;

/// The rows of the one table of members in a dump.
pub(super) struct Dump {
    text: SqlText,
    mapping: Mapping,
    wanted: Option<String>,
    /// The database that the last USE has named.
    database: Option<String>,
    /// The columns of each table that was made so far.
    tables: HashMap<TableName, Vec<String>>,
    /// The table whose rows are read.
    chosen: Option<Chosen>,
    /// Why a table with other columns was left out, if no other one is found.
    unfit: Option<String>,
    /// Within the values of a statement.
    is_within: bool,
    rows: u64,
    values: Vec<Option<Vec<u8>>>,
}

/// A table of a dump. Those of two databases may have one name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct TableName {
    database: Option<String>,
    name: String,
}

/// The table whose rows are read.
struct Chosen {
    table: TableName,
    columns: Vec<String>,
    header: Header,
    /// Whether the dump makes it again behind its rows.
    is_made_again: bool,
}

impl Dump {
    /// `wanted` is the name of the table, where the dump has several with members.
    pub(super) fn of(
        source: &Source,
        mapping: &Mapping,
        wanted: Option<&str>,
    ) -> Result<Self, BadSource> {
        Ok(Self {
            text: SqlText::of(source)?,
            mapping: mapping.clone(),
            wanted: wanted.map(str::to_owned),
            database: None,
            tables: HashMap::new(),
            chosen: None,
            unfit: None,
            is_within: false,
            rows: 0,
            values: Vec::new(),
        })
    }

    fn said(&self, problem: impl std::fmt::Display) -> BadSource {
        BadSource(format!("{}, line {}: {problem}", self.text.name(), self.text.line()))
    }

    /// Goes to the next statement that fills the table; `false` at the end of the dump.
    fn find_rows(&mut self) -> Result<bool, BadSource> {
        loop {
            match self.text.token()? {
                Token::End => {
                    self.check_end()?;
                    return Ok(false);
                }
                Token::Word(word) if is(&word, "USE") => self.use_database()?,
                Token::Word(word) if is(&word, "CREATE") => self.create()?,
                Token::Word(word) if is(&word, "INSERT") || is(&word, "REPLACE") => {
                    if self.insert()? {
                        return Ok(true);
                    }
                }
                Token::Sign(b';') => {}
                _ => self.skip_statement()?,
            }
        }
    }

    fn check_end(&self) -> Result<(), BadSource> {
        let has = |texts: &[&str]| texts.iter().any(|text| self.text.has_comment(text));
        if has(&BEGINNINGS) && !has(&[COMPLETED]) {
            return Err(self.said(format_args!(
                "the dump has no line \"-- {COMPLETED}\" at its end: it is cut off, make it again; \
                 nothing was imported"
            )));
        }
        match (&self.chosen, &self.wanted, &self.unfit) {
            (Some(_), ..) => Ok(()),
            (None, Some(wanted), None) => Err(BadSource(format!(
                "{}: the dump has no rows of a table {wanted:?}: check --table",
                self.text.name()
            ))),
            (None, _, Some(unfit)) => Err(BadSource(format!("{}: {unfit}", self.text.name()))),
            (None, None, None) => Err(BadSource(format!(
                "{}: the dump has no table with rows of members: expected columns such as siteid, \
                 memberid, username and password or cryptpass; name others with --map",
                self.text.name()
            ))),
        }
    }

    fn skip_statement(&mut self) -> Result<(), BadSource> {
        loop {
            match self.text.token()? {
                Token::Sign(b';') => return Ok(()),
                Token::End => return Err(self.cut_off()),
                _ => {}
            }
        }
    }

    fn cut_off(&self) -> BadSource {
        self.said(
            "the dump ends within a statement: it is cut off, make it again; nothing was imported",
        )
    }

    /// `USE name;`
    fn use_database(&mut self) -> Result<(), BadSource> {
        match self.text.token()? {
            Token::Name(name) | Token::Word(name) => self.database = Some(name),
            Token::Sign(b';') => return Ok(()),
            _ => {}
        }
        self.skip_statement()
    }

    /// The table of these names: its own one, perhaps behind that of its database.
    fn table_of(&self, mut names: Vec<String>) -> Option<TableName> {
        let name = names.pop()?;
        Some(TableName { database: names.pop().or_else(|| self.database.clone()), name })
    }

    /// `CREATE TABLE name (column type ..., KEY ...);`
    fn create(&mut self) -> Result<(), BadSource> {
        let Token::Word(word) = self.text.token()? else { return self.skip_statement() };
        if !is(&word, "TABLE") {
            return self.skip_statement();
        }
        let (mut names, mut columns, mut depth, mut is_first) = (Vec::new(), Vec::new(), 0, false);
        loop {
            match self.text.token()? {
                Token::End => return Err(self.cut_off()),
                Token::Sign(b';') => break,
                Token::Sign(b'(') => {
                    depth += 1;
                    is_first = depth == 1;
                }
                Token::Sign(b')') => depth -= 1,
                Token::Sign(b',') => is_first = depth == 1,
                // Behind the columns come the options of the table.
                Token::Name(text) if depth == 0 && columns.is_empty() => names.push(text),
                Token::Name(text) if is_first => {
                    columns.push(text);
                    is_first = false;
                }
                // A key begins with a word.
                _ => is_first = false,
            }
        }
        if let Some(table) = self.table_of(names) {
            self.made(table, columns);
        }
        Ok(())
    }

    fn made(&mut self, table: TableName, columns: Vec<String>) {
        if let Some(chosen) = self.chosen.as_mut().filter(|chosen| chosen.table == table) {
            chosen.is_made_again = true;
        }
        // Not even the columns of a table of that name that was made before.
        self.tables.remove(&table);
        if columns.len() <= COLUMNS_MAX && self.tables.len() < TABLES_MAX {
            self.tables.insert(table, columns);
        }
    }

    /// `INSERT INTO name (columns) VALUES`, before the first row. `false` for another table.
    fn insert(&mut self) -> Result<bool, BadSource> {
        let (mut names, mut named, mut depth) = (Vec::new(), Vec::new(), 0);
        loop {
            match self.text.token()? {
                Token::End => return Err(self.cut_off()),
                Token::Sign(b';') => return Ok(false),
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth -= 1,
                Token::Name(text) if depth == 0 => names.push(text),
                Token::Name(text) => named.push(text),
                Token::Word(word) if depth == 0 && is(&word, "VALUES") => break,
                _ => {}
            }
        }
        let Some(table) = self.table_of(names) else {
            return Err(self.said("expected the name of a table in back quotes after INSERT INTO"));
        };
        if !self.is_wanted(table, named)? {
            self.skip_statement()?;
            return Ok(false);
        }
        self.is_within = true;
        Ok(true)
    }

    /// Whether these rows are those of the table of members.
    fn is_wanted(&mut self, table: TableName, named: Vec<String>) -> Result<bool, BadSource> {
        let name = &table.name;
        if self.wanted.as_ref().is_some_and(|wanted| wanted != name) {
            return Ok(false);
        }
        if self.chosen.as_ref().is_some_and(|chosen| chosen.is_another_of_its_name(&table)) {
            return Err(self.said(format_args!(
                "the dump has the table {name:?} twice: dump one database; nothing was imported"
            )));
        }
        let columns = if named.is_empty() { self.tables.get(&table) } else { Some(&named) };
        let Some(columns) = columns else {
            self.unfit = Some(format!(
                "the rows of the table {name:?} have no names of columns: make the dump without \
                 --no-create-info, or with --complete-insert"
            ));
            return Ok(false);
        };
        if self.chosen.as_ref().is_some_and(|it| it.table == table && it.columns == *columns) {
            return Ok(true);
        }
        match Header::of(columns, &self.mapping) {
            Ok(header) => match &self.chosen {
                Some(Chosen { table: known, .. }) if known != &table => {
                    Err(self.said(format_args!(
                        "the tables {:?} and {name:?} both have members: name one with --table",
                        known.name
                    )))
                }
                _ => {
                    let columns = columns.clone();
                    self.chosen = Some(Chosen { table, columns, header, is_made_again: false });
                    Ok(true)
                }
            },
            Err(problem) => {
                self.unfit.get_or_insert_with(|| format!("table {name:?}: {problem}"));
                Ok(false)
            }
        }
    }

    /// The values of a row, after its first parenthesis. `false` if they are too long.
    fn read_values(&mut self) -> Result<bool, BadSource> {
        self.values.clear();
        let (mut bytes, mut value) = (0, None);
        loop {
            match self.text.token()? {
                Token::End => return Err(self.cut_off()),
                Token::Sign(b',') => self.values.push(value.take()),
                Token::Sign(b')') => {
                    self.values.push(value.take());
                    return Ok(bytes <= super::ROW_BYTES_MAX && self.values.len() <= COLUMNS_MAX);
                }
                Token::Text(text) => {
                    bytes += text.len();
                    value = Some(text).filter(|_| bytes <= super::ROW_BYTES_MAX);
                }
                Token::Word(word) if is(&word, "NULL") => value = None,
                // As in _binary 'text'.
                Token::Word(word) if word.starts_with('_') => {}
                Token::Word(word) => value = Some(word.into_bytes()),
                Token::Name(_) | Token::Sign(_) => {
                    return Err(self.said("expected values, as mysqldump writes them"));
                }
            }
        }
    }

    fn fill(&self, row: &mut Row) -> Result<Step, BadSource> {
        let Some(Chosen { header, .. }) = &self.chosen else { return Ok(Step::End) };
        if self.values.len() != header.len() {
            return Ok(Step::Refused(RefusedRow::new(format!(
                "expected {} columns, found {}",
                header.len(),
                self.values.len()
            ))));
        }
        for (at, value) in self.values.iter().enumerate() {
            let (columns, Some(bytes)) = (header.at(at), value) else { continue };
            if columns.is_empty() {
                continue;
            }
            let text = std::str::from_utf8(bytes)
                .map_err(|_| not_utf_8(self.text.name(), self.text.line()))?;
            if text.contains('\0') {
                return Ok(Step::Refused(has_nul()));
            }
            columns.iter().for_each(|&column| row.set(column, text));
        }
        Ok(Step::Row)
    }
}

impl Chosen {
    /// Whether rows of `table` are those of another table, although it has the same name.
    fn is_another_of_its_name(&self, table: &TableName) -> bool {
        self.table.name == table.name && (self.table != *table || self.is_made_again)
    }
}

impl Rows for Dump {
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource> {
        loop {
            if !self.is_within && !self.find_rows()? {
                return Ok(Step::End);
            }
            match self.text.token()? {
                Token::Sign(b'(') => break,
                Token::Sign(b',') => {}
                Token::Sign(b';') => self.is_within = false,
                Token::End => return Err(self.cut_off()),
                // As in ON DUPLICATE KEY UPDATE.
                _ => {
                    self.skip_statement()?;
                    self.is_within = false;
                }
            }
        }
        row.begin(self.text.line());
        self.rows += 1;
        row.number = Some(self.rows);
        let fits = self.read_values()?;
        row.last_line = self.text.line();
        if fits { self.fill(row) } else { Ok(Step::Refused(too_long())) }
    }

    fn unused(&self) -> &[String] {
        self.chosen.as_ref().map_or(&[], |chosen| &chosen.header.unused)
    }
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

#[cfg(test)]
mod tests {
    use super::super::columns::Column;
    use super::*;

    fn rows(text: &str, wanted: Option<&str>) -> Result<Vec<String>, String> {
        let source = Source::of_bytes("dump", text.as_bytes());
        let mut rows = Dump::of(&source, &Mapping::default(), wanted).unwrap();
        let (mut row, mut found) = (Row::default(), Vec::new());
        loop {
            found.push(match rows.next(&mut row).map_err(|error| error.to_string())? {
                Step::Row => format!(
                    "{}: {:?} {:?} {:?}",
                    row.place(),
                    row.get(Column::MemberId),
                    row.get(Column::Username),
                    row.get(Column::Cryptpass)
                ),
                Step::Refused(refused) => format!("{}: {}", row.place(), refused.problem),
                Step::End => return Ok(found),
            });
        }
    }

    const CREATE: &str = "-- MySQL dump 10.13  Distrib 8.0\n\
        /*!40101 SET NAMES utf8mb4 */;\n\
        DROP TABLE IF EXISTS `member_auth`;\n\
        CREATE TABLE `member_auth` (\n  `siteid` int(11) NOT NULL DEFAULT '0',\n  \
        `memberid` int(11) NOT NULL COMMENT 'a (b), c;',\n  `username` varchar(50),\n  \
        `cryptpass` varchar(50),\n  `note` enum('a','b'),\n  PRIMARY KEY (`siteid`,`memberid`),\n  \
        UNIQUE KEY `name` (`username`)\n) ENGINE=InnoDB;\n\
        LOCK TABLES `member_auth` WRITE;\n";
    const END: &str = "UNLOCK TABLES;\n-- Dump completed on 2026-06-15 12:00:00\n";

    #[test]
    fn the_rows_of_a_dump_are_read_with_their_escapes() {
        let text = format!(
            "{CREATE}INSERT INTO `member_auth` VALUES (1,71,'b\\'o''b;','x\\\\y\\n',NULL),\
             (1,72,NULL,_binary 'é',''),\n(1,73,0x616e6e,'a\\Zb','a'),(1,74);\n\
             INSERT INTO `member_auth` (`username`,`cryptpass`,`memberid`) VALUES \
             ('eve','-- x',-75),('max','a\\0b',76);\n{END}"
        );
        assert_eq!(
            rows(&text, None).unwrap(),
            [
                "line 14, row 1: Some(\"71\") Some(\"b'o'b;\") Some(\"x\\\\y\\n\")",
                "line 14, row 2: Some(\"72\") None Some(\"é\")",
                "line 15, row 3: Some(\"73\") Some(\"ann\") Some(\"a\\u{1a}b\")",
                "line 15, row 4: expected 5 columns, found 2",
                "line 16, row 5: Some(\"-75\") Some(\"eve\") Some(\"-- x\")",
                "line 16, row 6: expected text, found a NUL byte",
            ]
        );
    }

    const TWICE: &str = "the dump has the table \"member_auth\" twice: dump one database; nothing \
                         was imported";

    /// Regression: the rows of the second table were read with the columns of the first.
    #[test]
    fn rows_of_two_tables_of_one_name_are_an_error() {
        let insert = "INSERT INTO `member_auth` VALUES (1,71,'bob','x',NULL);\n";
        let other = CREATE.replace("username", "note_2").replace("`note`", "`username`");
        for (text, line) in [
            (format!("USE `live`;\n{CREATE}{insert}USE `old`;\n{CREATE}{insert}{END}"), 30),
            (format!("USE `live`;\n{CREATE}{insert}USE `old`;\n{other}{insert}{END}"), 30),
            (format!("{CREATE}{insert}{CREATE}{insert}{END}"), 28),
            (format!("{CREATE}{insert}{other}{insert}{END}"), 28),
            (format!("{CREATE}USE live;\n{CREATE}{insert}USE old;\n{insert}{END}"), 30),
            (
                format!(
                    "{}{}{END}",
                    "INSERT INTO `a`.`member_auth` (`username`,`cryptpass`) VALUES ('bob','x');\n",
                    "INSERT INTO `b`.`member_auth` (`username`,`cryptpass`) VALUES ('ann','x');\n",
                ),
                2,
            ),
        ] {
            for wanted in [None, Some("member_auth")] {
                assert_eq!(
                    rows(&text, wanted).unwrap_err(),
                    format!("dump, line {line}: {TWICE}"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_table_that_is_made_twice_and_has_rows_once_is_read_with_its_own_columns() {
        let insert = "INSERT INTO `member_auth` VALUES (1,71,'bob','x',NULL);\n";
        let bob = |line: u32| format!("line {line}, row 1: Some(\"71\") Some(\"bob\") Some(\"x\")");
        let other = "CREATE TABLE `member_auth` (`username` int, `password` int);\n";
        for (text, line) in [
            (format!("USE `old`;\n{other}USE `live`;\n{CREATE}{insert}{END}"), 17),
            (format!("USE `live`;\n{CREATE}{insert}USE `old`;\n{other}{END}"), 15),
            (format!("{other}{CREATE}{insert}{other}{END}"), 15),
            (format!("USE `live`;\n{CREATE}USE `old`;\n{other}USE `live`;\n{insert}{END}"), 18),
        ] {
            assert_eq!(rows(&text, None).unwrap(), [bob(line)], "{text}");
        }
    }

    #[test]
    fn rows_without_names_are_not_read_with_the_names_of_rows_before_them() {
        let text = format!(
            "{CREATE}INSERT INTO `member_auth` (`username`,`cryptpass`,`note`,`siteid`,`memberid`) \
             VALUES ('ann','y','',1,72);\nINSERT INTO `member_auth` VALUES (1,71,'bob','x','');\n\
             {END}"
        );
        assert_eq!(
            rows(&text, None).unwrap(),
            [
                "line 14, row 1: Some(\"72\") Some(\"ann\") Some(\"y\")",
                "line 15, row 2: Some(\"71\") Some(\"bob\") Some(\"x\")",
            ]
        );
    }

    #[test]
    fn a_dump_that_is_cut_off_or_has_no_one_table_of_members_is_an_error() {
        let insert = "INSERT INTO `member_auth` VALUES (1,71,'bob','x',NULL);\n";
        let second = CREATE.replace("member_auth", "members");
        for (text, said) in [
            (
                format!("{CREATE}{insert}"),
                "dump, line 15: the dump has no line \"-- Dump completed\" at its end: it is cut \
                 off, make it again; nothing was imported",
            ),
            (
                format!("{CREATE}{}", &insert[..37]),
                "dump, line 14: the dump ends within a statement: it is cut off, make it again; \
                 nothing was imported",
            ),
            (
                format!("{CREATE}INSERT INTO `member_auth` VALUES (1,71,'bo"),
                "dump, line 14: the text ends within quotation marks: it is cut off, make it \
                 again; nothing was imported",
            ),
            (
                format!(
                    "{CREATE}{insert}{second}{}{END}",
                    insert.replace("member_auth", "members")
                ),
                "dump, line 28: the tables \"member_auth\" and \"members\" both have members: name \
                 one with --table",
            ),
            (
                format!("{}{END}", insert),
                "dump: the rows of the table \"member_auth\" have no names of columns: make the \
                 dump without --no-create-info, or with --complete-insert",
            ),
            (
                format!("{CREATE}{END}"),
                "dump: the dump has no table with rows of members: expected columns such as \
                 siteid, memberid, username and password or cryptpass; name others with --map",
            ),
        ] {
            assert_eq!(rows(&text, None).unwrap_err(), said);
        }
        let both =
            format!("{CREATE}{insert}{second}{}{END}", insert.replace("member_auth", "members"));
        assert_eq!(
            rows(&both, Some("members")).unwrap(),
            ["line 28, row 1: Some(\"71\") Some(\"bob\") Some(\"x\")"]
        );
        assert_eq!(
            rows(&both, Some("other")).unwrap_err(),
            "dump: the dump has no rows of a table \"other\": check --table"
        );
    }
}
