//! The directory of a ledger: what its logs share, and the notices of repairs.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::disk::Disk;
use crate::ledger::{OpenMode, Repair, RepairNotice};
use crate::lock::lock;
use crate::value::Channel;

/// The greatest number of notices that are kept; older ones are dropped.
const MAX_NOTICES: usize = 1024;

/// A ledger's directory.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) access: OpenMode,
    /// Oldest first.
    pub(super) notices: Mutex<VecDeque<RepairNotice>>,
}

impl Directory {
    pub(super) fn note(&self, channel: &Channel, repair: Repair) {
        let mut notices = lock(&self.notices);
        if notices.len() == MAX_NOTICES {
            notices.pop_front();
        }
        notices.push_back(RepairNotice { channel: channel.clone(), repair });
    }
}
