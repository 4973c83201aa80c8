//! The index blobs of one log, as files. They are never synced: the checksum of a blob shows if a crash tore it.

use std::io;

use bytes::Bytes;

use super::disk::OpenMode;
use super::place::Place;

/// The blob of this name; none if there is no file.
pub(super) fn get(place: &Place, name: &str) -> io::Result<Option<Bytes>> {
    let file = match place.disk.open(&place.index(name), OpenMode::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut blob = vec![0; usize::try_from(file.stat()?.bytes).map_err(io::Error::other)?];
    let length = file.read_at(&mut blob, 0)?;
    blob.truncate(length);
    Ok(Some(blob.into()))
}

/// Writes the blob to a new file, and renames that over the old one.
pub(super) fn put(place: &Place, name: &str, blob: &[u8]) -> io::Result<()> {
    place.disk.make_dir(&place.index_dir())?;
    // A process that holds the lock is writing the same index. Closing the file releases the lock.
    let lock = place.disk.open(&place.index("lock"), OpenMode::Create)?;
    if !lock.try_lock()? {
        return Ok(());
    }
    let anew = place.index("new");
    place.disk.open(&anew, OpenMode::Anew)?.write_at(blob, 0)?;
    place.disk.rename(&anew, &place.index(name))
}
