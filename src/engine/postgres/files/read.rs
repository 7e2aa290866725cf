//! How a server's files are read: from the file system, or through the server.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::PgConnection;

use crate::engine::postgres::connect::Address;
use crate::engine::postgres::error::open_error;
use crate::engine::scan::{Stock, Subject, opened};
use crate::ports::SourceError;
use crate::residue::FileClass;

/// How much is asked of the server at a time.
const SERVER_READ_BYTES: usize = 4 << 20;

/// How the files of a server can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// Below this folder of this machine.
    Local(PathBuf),
    /// Through the server's own functions.
    Server,
    /// Not at all.
    None,
}

impl Reach {
    /// Finds out. A folder of this machine counts only where it is this very server's.
    pub(super) async fn find(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        // language=PostgreSQL
        const PLACE: &str = "SELECT setting FROM pg_catalog.pg_settings
            WHERE name = 'data_directory' AND setting IS NOT NULL AND setting <> ''";
        // language=PostgreSQL
        const MAY: &str = "SELECT pg_catalog.has_function_privilege(
                'pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)', 'EXECUTE')
            AND pg_catalog.has_function_privilege(
                'pg_catalog.pg_ls_dir(text, boolean, boolean)', 'EXECUTE')
            AND pg_catalog.has_function_privilege(
                'pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE')";
        // language=PostgreSQL
        const IDENTIFIER: &str = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
        let place: Option<String> =
            sqlx::query_scalar(PLACE).fetch_optional(&mut *connection).await?;
        let identifier: Option<i64> =
            sqlx::query_scalar(IDENTIFIER).fetch_one(&mut *connection).await.ok();
        if let (Some(place), Some(identifier)) = (place, identifier) {
            let root = PathBuf::from(place);
            if is_of(&root, identifier) {
                return Ok(Self::Local(root));
            }
        }
        let may: bool = sqlx::query_scalar(MAY).fetch_one(connection).await?;
        Ok(if may { Self::Server } else { Self::None })
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Whether a folder is the data directory of the server with this identifier, and can be read.
// SPEC: src/include/catalog/pg_control.h: the identifier comes first.
fn is_of(root: &Path, identifier: i64) -> bool {
    let mut head = [0; 8];
    let read = std::fs::File::open(root.join("global/pg_control"))
        .and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && i64::from_le_bytes(head) == identifier && root.join("base").read_dir().is_ok()
}

/// Opens files of this machine.
pub(super) struct LocalStock {
    root: PathBuf,
}

impl LocalStock {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

impl Stock for LocalStock {
    fn open(&self, subject: &Subject) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        // Files that somebody named lie where the names say, from here.
        if subject.class == FileClass::Other {
            return opened(Path::new(&subject.name));
        }
        opened(&self.root.join(&subject.name))
    }
}

/// Opens files through the server; those that were named, on this machine.
pub(super) struct ServerStock {
    connection: Mutex<PgConnection>,
    handle: tokio::runtime::Handle,
}

impl ServerStock {
    pub(super) async fn open(address: &Address) -> Result<Self, SourceError> {
        let connection =
            address.connect().await.map_err(|error| open_error(error, address.shown()))?;
        let handle = tokio::runtime::Handle::current();
        Ok(Self { connection: Mutex::new(connection), handle })
    }

    fn read(&self, name: &str, offset: u64) -> io::Result<Option<Vec<u8>>> {
        // language=PostgreSQL
        const READ: &str = "SELECT pg_catalog.pg_read_binary_file($1, $2, $3, true)";
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let length = i64::try_from(SERVER_READ_BYTES).unwrap_or(i64::MAX);
        let query = sqlx::query_scalar::<_, Option<Vec<u8>>>(READ)
            .bind(name)
            .bind(i64::try_from(offset).unwrap_or(i64::MAX))
            .bind(length)
            .fetch_one(&mut *connection);
        // Names of files are what the server says about such an error: no value is in it.
        self.handle.block_on(query).map_err(|_| {
            io::Error::new(io::ErrorKind::PermissionDenied, "the server does not give it out")
        })
    }
}

impl Stock for ServerStock {
    fn open(&self, subject: &Subject) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        if subject.class == FileClass::Other {
            return opened(Path::new(&subject.name));
        }
        let Some(first) = self.read(&subject.name, 0)? else { return Ok(None) };
        let offset = first.len() as u64;
        let name = subject.name.clone();
        Ok(Some(Box::new(ServerFile { stock: self, name, offset, held: Cursor::new(first) })))
    }
}

/// A file as the server gives it out.
struct ServerFile<'s> {
    stock: &'s ServerStock,
    name: String,
    offset: u64,
    held: Cursor<Vec<u8>>,
}

impl Read for ServerFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.held.read(buffer)?;
        if length > 0 || buffer.is_empty() {
            return Ok(length);
        }
        let more = self.stock.read(&self.name, self.offset)?.unwrap_or_default();
        self.offset += more.len() as u64;
        self.held = Cursor::new(more);
        self.held.read(buffer)
    }
}
