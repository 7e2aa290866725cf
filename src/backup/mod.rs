//! The folder of a run's files: `age` files, one per range, and beside them a marker and a copy of the
//! vault's slots and wrapped keys, so that a lost vault does not lose the backup.
//!
//! A file is a header of `age` (X25519, the run's identity), then records: `length 4 (big-endian) |
//! bytes`, to the authenticated end of the stream. Files whose records are sealed already are records
//! alone. This room knows neither what a record says nor which keys the vault holds.
//!
//! **Invariant:** a finished file is on disk before its seal is returned: the file is synced, then
//! the folder. A file whose seal nobody recorded is void and may be overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::stream::StreamWriter;
use age::x25519::{Identity, Recipient};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::lifecycle::RunId;
use crate::ports::{BackupError, BackupStore, FileSeal, PlainReader, RecordReader, RecordWriter};

/// The longest record that is read: a value of 16 MiB, its key, and room to spare.
const RECORD_BYTES_MAX: usize = 256 << 20;

mod header;
mod lost;
mod vault_file;

pub use header::recipients_of;
pub use lost::LostFolder;
pub use vault_file::VaultFile;

/// What is read or written at a time.
const BUFFER_BYTES: usize = 1 << 16;

const MARKER: &str = "RUN";
/// Slots and wrapped keys, as they were when the run began.
pub const KEYS: &str = "keys.json";

/// How large the vault's ledger was when it was last noted.
const LEDGER: &str = "ledger.size";

/// Makes the identity that opens a run's files, as the text that `age` keeps.
#[must_use]
pub fn new_identity() -> Zeroizing<String> {
    use secrecy::ExposeSecret;
    Zeroizing::new(Identity::generate().to_string().expose_secret().to_owned())
}

/// The folder of one run.
pub struct AgeFolder {
    dir: PathBuf,
    identity: Identity,
    recipients: Vec<Recipient>,
}

impl AgeFolder {
    /// Opens the folder of a run, making it on first use.
    ///
    /// `identity` is what [`new_identity`] made; `others` are `age` public keys that can open the
    /// files too; `marker` says whose folder it is, and `keys` is the copy of slots and wrapped
    /// keys that lies beside the files.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where the folder cannot be used or belongs to something else.
    pub fn prepare(
        base: &Path,
        run: RunId,
        identity: &str,
        others: &[String],
        marker: &str,
        keys: &str,
    ) -> Result<Self, BackupError> {
        let dir = base.join(run.to_string());
        let folder = |source| unusable(&dir, source);
        fs::create_dir_all(&dir).map_err(folder)?;
        restrict(&dir).map_err(folder)?;
        let marker_file = dir.join(MARKER);
        if marker_file.exists() {
            let found = fs::read_to_string(&marker_file).map_err(folder)?;
            if found != marker {
                return Err(BackupError::NoMarker { dir: dir.display().to_string() });
            }
        } else {
            write_durably(&marker_file, marker.as_bytes()).map_err(folder)?;
        }
        write_durably(&dir.join(KEYS), keys.as_bytes()).map_err(folder)?;
        sync_folder(base).map_err(folder)?;
        Self::with_keys(dir, identity, others)
    }

    /// Opens the folder of a run that has begun: its marker has to be there.
    ///
    /// # Errors
    ///
    /// [`BackupError::NoMarker`] where the folder is not the run's.
    pub fn open(
        base: &Path,
        run: RunId,
        identity: &str,
        others: &[String],
        marker: &str,
    ) -> Result<Self, BackupError> {
        let dir = base.join(run.to_string());
        let found = fs::read_to_string(dir.join(MARKER)).unwrap_or_default();
        if found != marker {
            return Err(BackupError::NoMarker { dir: dir.display().to_string() });
        }
        Self::with_keys(dir, identity, others)
    }

    /// Opens a folder by an identity that somebody holds who has no vault: one of the policy's
    /// recipients.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where there is no such folder, or the identity is none.
    pub fn offline(dir: &Path, identity: &str) -> Result<Self, BackupError> {
        if !dir.join(MARKER).exists() {
            return Err(BackupError::NoMarker { dir: dir.display().to_string() });
        }
        Self::with_keys(dir.to_owned(), identity, &[])
    }

    fn with_keys(dir: PathBuf, identity: &str, others: &[String]) -> Result<Self, BackupError> {
        let unusable = |what: &'static str| BackupError::Folder {
            dir: dir.display().to_string(),
            source: io::Error::new(io::ErrorKind::InvalidInput, what),
        };
        let identity = Identity::from_str(identity)
            .map_err(|_| unusable("the run's identity is not an age identity"))?;
        let mut recipients = vec![identity.to_public()];
        for other in others {
            let other = Recipient::from_str(other)
                .map_err(|_| unusable("a recipient of the policy is not an age public key"))?;
            recipients.push(other);
        }
        Ok(Self { dir, identity, recipients })
    }

    /// The largest ledger that is noted in the folder of a run; 0 where there is none.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where the note cannot be read, or the folder is another run's: then it says
    /// nothing of this vault.
    pub fn ledger_noted(base: &Path, run: RunId, marker: &str) -> Result<u64, BackupError> {
        let dir = base.join(run.to_string());
        if fs::read_to_string(dir.join(MARKER)).is_ok_and(|found| found != marker) {
            return Err(BackupError::NoMarker { dir: dir.display().to_string() });
        }
        match fs::read_to_string(dir.join(LEDGER)) {
            Ok(text) => {
                text.trim().parse().map_err(|_| BackupError::Altered { name: LEDGER.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(failed(&dir, LEDGER, error)),
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn io(&self, name: &str, error: io::Error) -> BackupError {
        failed(&self.dir, name, error)
    }

    /// Begins a file on the disk.
    fn begun(&self, name: &str) -> Result<Hashing<BufWriter<File>>, BackupError> {
        let file = File::create(self.dir.join(name)).map_err(|error| self.io(name, error))?;
        Ok(Hashing { inner: BufWriter::new(file), hash: Sha256::new(), bytes: 0 })
    }

    /// Opens a file whose whole length has this hash.
    fn known(&self, name: &str, sha256: &[u8; 32]) -> Result<BufReader<File>, BackupError> {
        let file = File::open(self.dir.join(name)).map_err(|error| self.io(name, error))?;
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut HashOnly(&mut hash)).map_err(|error| self.io(name, error))?;
        if hash.finalize().as_slice() != sha256 {
            return Err(BackupError::Altered { name: name.to_owned() });
        }
        file.rewind().map_err(|error| self.io(name, error))?;
        Ok(file)
    }
}

/// The folder itself cannot be used.
fn unusable(dir: &Path, source: io::Error) -> BackupError {
    let dir_shown = dir.display().to_string();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            BackupError::Full { dir: dir_shown }
        }
        _ => BackupError::Folder { dir: dir_shown, source },
    }
}

fn failed(dir: &Path, name: &str, error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::NotFound => BackupError::Missing { name: name.to_owned() },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            BackupError::Full { dir: dir.display().to_string() }
        }
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            BackupError::Altered { name: name.to_owned() }
        }
        _ => BackupError::Io { name: name.to_owned(), source: error },
    }
}

/// Only the owner looks into the folder: its names tell which tables are in scope.
#[cfg(unix)]
fn restrict(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes a file whole or not at all: half a marker or half a note, from a disk that was full or a
/// process that died, would keep the run from going on.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Others who join may write theirs at the same moment.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        // What is left of it is written over by the next attempt.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl BackupStore for AgeFolder {
    fn create(&self, name: &str) -> Result<Box<dyn RecordWriter>, BackupError> {
        writer(&self.dir, name, self.begun(name)?, &self.recipients)
    }

    fn open(&self, name: &str, sha256: &[u8; 32]) -> Result<Box<dyn RecordReader>, BackupError> {
        reader(&self.dir, name, self.known(name, sha256)?, &self.identity)
    }

    fn create_plain(&self, name: &str) -> Result<Box<dyn RecordWriter>, BackupError> {
        let stream = BufWriter::with_capacity(BUFFER_BYTES, self.begun(name)?);
        Ok(Box::new(Writer { dir: self.dir.clone(), name: name.to_owned(), stream, records: 0 }))
    }

    fn open_plain(
        &self,
        name: &str,
        sha256: &[u8; 32],
    ) -> Result<Box<dyn PlainReader>, BackupError> {
        let stream = self.known(name, sha256)?;
        let (dir, name) = (self.dir.clone(), name.to_owned());
        Ok(Box::new(Plain { reader: Reader { dir, name, stream }, record: Vec::new() }))
    }

    fn open_unrecorded(&self, name: &str) -> Result<Box<dyn RecordReader>, BackupError> {
        let file = File::open(self.dir.join(name)).map_err(|error| self.io(name, error))?;
        reader(&self.dir, name, BufReader::with_capacity(BUFFER_BYTES, file), &self.identity)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), BackupError> {
        fs::rename(self.dir.join(from), self.dir.join(to))
            .and_then(|()| sync_folder(&self.dir))
            .map_err(|error| self.io(to, error))
    }

    fn remove(&self, name: &str) -> Result<(), BackupError> {
        match fs::remove_file(self.dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io(name, error)),
            _ => Ok(()),
        }
    }

    fn destroy(&self) -> Result<u64, BackupError> {
        destroy_folder(&self.dir)
    }

    fn note_ledger(&self, size: u64) -> Result<(), BackupError> {
        let text = fs::read_to_string(self.dir.join(LEDGER)).unwrap_or_default();
        if text.trim().parse().is_ok_and(|noted: u64| noted >= size) {
            return Ok(());
        }
        write_durably(&self.dir.join(LEDGER), format!("{size}\n").as_bytes())
            .map_err(|error| self.io(LEDGER, error))
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }
}

/// Overwrites and removes everything in a folder, then the folder. Returns the number of files.
///
/// The files are encrypted, and the key that opens them is destroyed with them; overwriting is the
/// second measure, and on a copy-on-write file system or an SSD it promises nothing.
///
/// # Errors
///
/// [`BackupError`] where a file cannot be written or removed; the rest may be gone already.
pub fn destroy_folder(dir: &Path) -> Result<u64, BackupError> {
    let folder = |source| unusable(dir, source);
    if !dir.exists() {
        return Ok(0);
    }
    let mut files = 0;
    for entry in fs::read_dir(dir).map_err(folder)? {
        let path = entry.map_err(folder)?.path();
        if path.is_file() {
            overwrite(&path).map_err(folder)?;
            fs::remove_file(&path).map_err(folder)?;
            files += 1;
        }
    }
    fs::remove_dir(dir).map_err(folder)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_folder(parent).map_err(folder)?;
    }
    Ok(files)
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}

/// Passes bytes on and hashes them.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct HashOnly<'h>(&'h mut Sha256);

impl Write for HashOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Encrypts records behind what was written already.
fn writer(
    dir: &Path,
    name: &str,
    to: Hashing<BufWriter<File>>,
    recipients: &[Recipient],
) -> Result<Box<dyn RecordWriter>, BackupError> {
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let stream = age::Encryptor::with_recipients(recipients)
        .map_err(io::Error::other)
        .and_then(|encryptor| encryptor.wrap_output(to))
        .map_err(|error| failed(dir, name, error))?;
    Ok(Box::new(Writer { dir: dir.to_owned(), name: name.to_owned(), stream, records: 0 }))
}

/// Decrypts records from where a file stands.
fn reader(
    dir: &Path,
    name: &str,
    from: BufReader<File>,
    identity: &Identity,
) -> Result<Box<dyn RecordReader>, BackupError> {
    let altered = |_| BackupError::Altered { name: name.to_owned() };
    let stream = age::Decryptor::new(from)
        .map_err(altered)?
        .decrypt(std::iter::once(identity as &dyn age::Identity))
        .map_err(altered)?;
    Ok(Box::new(Reader { dir: dir.to_owned(), name: name.to_owned(), stream }))
}

struct Writer<S> {
    dir: PathBuf,
    name: String,
    stream: S,
    records: u64,
}

/// What records go through on their way to a file.
trait Layer: Write + Send {
    /// Hands over what is still held back.
    fn ended(self) -> io::Result<Hashing<BufWriter<File>>>;
}

impl Layer for StreamWriter<Hashing<BufWriter<File>>> {
    fn ended(self) -> io::Result<Hashing<BufWriter<File>>> {
        self.finish()
    }
}

impl Layer for BufWriter<Hashing<BufWriter<File>>> {
    fn ended(self) -> io::Result<Hashing<BufWriter<File>>> {
        self.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<S: Layer> RecordWriter for Writer<S> {
    fn write(&mut self, record: &[u8]) -> Result<(), BackupError> {
        let failed = |error| failed(&self.dir, &self.name, error);
        let length = u32::try_from(record.len())
            .map_err(|_| failed(io::Error::other("a record is longer than 4 GiB")))?;
        self.stream.write_all(&length.to_be_bytes()).map_err(failed)?;
        self.stream.write_all(record).map_err(failed)?;
        self.records += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<FileSeal, BackupError> {
        let Self { dir, name, stream, records } = *self;
        let ended = || -> io::Result<([u8; 32], u64)> {
            let Hashing { inner, hash, bytes } = stream.ended()?;
            let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
            // ORDER: the file, then the folder, then whoever records the seal.
            file.sync_all()?;
            sync_folder(&dir)?;
            Ok((hash.finalize().into(), bytes))
        };
        let (sha256, bytes) = ended().map_err(|error| failed(&dir, &name, error))?;
        Ok(FileSeal { name, sha256, bytes, records })
    }
}

struct Reader<S> {
    dir: PathBuf,
    name: String,
    stream: S,
}

impl<S: Read> Reader<S> {
    /// The length of the next record.
    fn length(&mut self) -> Result<Option<usize>, BackupError> {
        let failed = |error| failed(&self.dir, &self.name, error);
        let mut length = [0; 4];
        // The end of the stream is authenticated, or its hash was compared, so an end between two
        // records is the end.
        match self.stream.read(&mut length[..1]).map_err(failed)? {
            0 => return Ok(None),
            _ => self.stream.read_exact(&mut length[1..]).map_err(failed)?,
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > RECORD_BYTES_MAX {
            return Err(BackupError::Altered { name: self.name.clone() });
        }
        Ok(Some(length))
    }

    fn fill(&mut self, record: &mut [u8]) -> Result<(), BackupError> {
        let filled = self.stream.read_exact(record);
        filled.map_err(|error| failed(&self.dir, &self.name, error))
    }
}

impl<S: Read + Send> RecordReader for Reader<S> {
    fn read(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, BackupError> {
        let Some(length) = self.length()? else { return Ok(None) };
        let mut record = Zeroizing::new(vec![0; length]);
        self.fill(&mut record)?;
        Ok(Some(record))
    }
}

/// A file that was not encrypted.
struct Plain {
    reader: Reader<BufReader<File>>,
    record: Vec<u8>,
}

impl PlainReader for Plain {
    fn read(&mut self) -> Result<Option<&[u8]>, BackupError> {
        let Some(length) = self.reader.length()? else { return Ok(None) };
        self.record.resize(length, 0);
        self.reader.fill(&mut self.record)?;
        Ok(Some(&self.record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(base: &Path) -> AgeFolder {
        AgeFolder::prepare(base, RunId(7), &new_identity(), &[], "marker", "{}").unwrap()
    }

    fn written(folder: &AgeFolder, records: &[&[u8]]) -> FileSeal {
        let mut writer = folder.create("u0-r0.backup").unwrap();
        for record in records {
            writer.write(record).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn records_come_back_in_order() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder(base.path());
        let seal = written(&folder, &[b"one", b"", b"three"]);
        let mut reader = folder.open(&seal.name, &seal.sha256).unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.read().unwrap() {
            records.push(record.to_vec());
        }
        assert_eq!(records, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
    }

    #[test]
    fn a_cut_or_altered_file_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder(base.path());
        let seal = written(&folder, &[b"alice@example.com"]);
        let path = folder.dir().join(&seal.name);
        let good = fs::read(&path).unwrap();
        assert!(!good.windows(5).any(|window| window == b"alice"));
        for bad in [&good[..good.len() - 1], &[&good[..], b"x"].concat()] {
            fs::write(&path, bad).unwrap();
            let refused = folder.open(&seal.name, &seal.sha256).err().unwrap();
            assert!(matches!(refused, BackupError::Altered { .. }), "{refused}");
        }
        fs::remove_file(&path).unwrap();
        let refused = folder.open(&seal.name, &seal.sha256).err().unwrap();
        assert!(matches!(refused, BackupError::Missing { .. }), "{refused}");
    }

    #[test]
    fn a_file_of_sealed_records_lies_as_it_is_and_is_refused_where_it_was_altered() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder(base.path());
        let mut writer = folder.create_plain("u0-r0.stage").unwrap();
        for record in [&b"sealed"[..], b"", b"so too"] {
            writer.write(record).unwrap();
        }
        let seal = writer.finish().unwrap();
        let path = folder.dir().join(&seal.name);
        let good = fs::read(&path).unwrap();
        assert_eq!(good, b"\0\0\0\x06sealed\0\0\0\0\0\0\0\x06so too");
        assert_eq!((seal.bytes, seal.records), (good.len() as u64, 3));
        let mut reader = folder.open_plain(&seal.name, &seal.sha256).unwrap();
        for record in [&b"sealed"[..], b"", b"so too"] {
            assert_eq!(reader.read().unwrap(), Some(record));
        }
        assert_eq!(reader.read().unwrap(), None);
        for bad in [&good[..good.len() - 1], &good[..10], &[&good[..], b"x"].concat()] {
            fs::write(&path, bad).unwrap();
            let refused = folder.open_plain(&seal.name, &seal.sha256).err().unwrap();
            assert!(matches!(refused, BackupError::Altered { .. }), "{refused}");
        }
    }

    #[test]
    fn another_folder_is_refused() {
        let base = tempfile::tempdir().unwrap();
        folder(base.path());
        let other = AgeFolder::open(base.path(), RunId(7), &new_identity(), &[], "other");
        assert!(matches!(other.err().unwrap(), BackupError::NoMarker { .. }));
    }
}
