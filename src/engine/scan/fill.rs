//! Reading: hashed as it lies, unpacked where it is packed as a whole.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use zeroize::Zeroize as _;

use super::Reading;
use crate::residue::codec::Codec;

/// What a file comes to: its hash so far, and its length.
pub(super) type Sum = Arc<Mutex<(Sha256, u64)>>;

/// Hashes what is read through it.
pub(super) struct Hashing<'r> {
    inner: Box<dyn Read + Send + 'r>,
    sum: Sum,
}

impl<'r> Hashing<'r> {
    pub(super) fn new(inner: Box<dyn Read + Send + 'r>, sum: Sum) -> Self {
        Self { inner, sum }
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.0.update(&buffer[..length]);
        sum.1 += length as u64;
        Ok(length)
    }
}

type Buffered<'r> = io::BufReader<Hashing<'r>>;

/// A file as it is searched.
pub(super) enum Source<'r> {
    Plain(Hashing<'r>),
    Gzip(Box<flate2::bufread::MultiGzDecoder<Buffered<'r>>>),
    Zstd(Option<Frame<'r>>),
}

impl<'r> Source<'r> {
    pub(super) fn new(file: Hashing<'r>, reading: &Reading) -> io::Result<Self> {
        let buffered = |file| io::BufReader::with_capacity(1 << 18, file);
        Ok(match reading {
            Reading::Packed(Codec::Gzip) => {
                Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(buffered(file))))
            }
            Reading::Packed(Codec::Zstd) => Self::Zstd(Some(frame(buffered(file))?)),
            Reading::Packed(Codec::Pglz | Codec::Lz4)
            | Reading::Plain
            | Reading::Settings
            | Reading::Pages { .. }
            | Reading::Log => Self::Plain(file),
        })
    }
}

type Frame<'r> =
    Box<ruzstd::decoding::StreamingDecoder<Buffered<'r>, ruzstd::decoding::FrameDecoder>>;

fn frame(source: Buffered<'_>) -> io::Result<Frame<'_>> {
    ruzstd::decoding::StreamingDecoder::new(source)
        .map(Box::new)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(file) => file.read(buffer),
            Self::Zstd(current) => loop {
                let Some(file) = current else { return Ok(0) };
                let length = file.read(buffer)?;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
                // A file may be several frames in a row.
                let Some(ended) = current.take() else { return Ok(0) };
                let mut rest = ended.into_inner();
                if io::BufRead::fill_buf(&mut rest)?.is_empty() {
                    return Ok(0);
                }
                *current = Some(frame(rest)?);
            },
        }
    }
}

/// Room for bytes of a file, wiped as far as it was ever used. It is made once for a scan: most
/// files of a server are small, and clearing room for each of them would take longer than reading.
pub(super) struct Room {
    bytes: Box<[u8]>,
    filled: usize,
    used: usize,
}

impl Room {
    pub(super) fn of(size: usize) -> Self {
        Self { bytes: vec![0; size].into_boxed_slice(), filled: 0, used: 0 }
    }

    /// What is in it.
    pub(super) fn held(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Begins with these bytes.
    pub(super) fn begin_with(&mut self, head: &[u8]) {
        self.bytes[..head.len()].copy_from_slice(head);
        self.filled = head.len();
        self.used = self.used.max(self.filled);
    }

    /// Appends up to `length` bytes; fewer only at the end, or where there is no room.
    pub(super) fn fill(&mut self, source: &mut Source<'_>, length: usize) -> io::Result<()> {
        let end = self.bytes.len().min(self.filled + length);
        while self.filled < end {
            match source.read(&mut self.bytes[self.filled..end]) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.used = self.used.max(self.filled);
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bytes[..self.used].zeroize();
    }
}
