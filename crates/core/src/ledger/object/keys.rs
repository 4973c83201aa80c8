//! The keys of a ledger's objects: `<prefix>/<channel>/log/<seq>.json` and the derived objects.

use object_store::path::Path;

/// The keys of one channel.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    root: Path,
}

impl Keys {
    /// The keys of the log with this name.
    pub(super) fn of(prefix: &Path, name: &str) -> Keys {
        Keys { root: prefix.clone().join(name) }
    }

    /// The prefix of the entries.
    pub(super) fn log(&self) -> Path {
        self.root.clone().join("log")
    }

    /// The key of the entry at `seq`. Twenty digits are enough for every position, so that keys sort in the order of
    /// the log.
    pub(super) fn entry(&self, seq: u64) -> Path {
        self.log().join(format!("{seq:020}.json"))
    }

    /// The position in the key of an entry; none for any other key.
    pub(super) fn seq(key: &Path) -> Option<u64> {
        let digits = key.filename()?.strip_suffix(".json")?;
        digits.parse().ok().filter(|_| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
    }

    pub(super) fn hint(&self) -> Path {
        self.root.clone().join("hint").join("head.json")
    }

    pub(super) fn index(&self, name: &str) -> Path {
        self.root.clone().join("index").join(name)
    }
}

/// The object of the probe. No channel has a name like it.
pub(super) fn probe(prefix: &Path) -> Path {
    prefix.clone().join("probe").join("create-if-absent.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::name::OBJECT;

    #[test]
    fn the_layout_is_that_of_the_documents() {
        let name = OBJECT.encode(&"registry.example.com/acme/shop:prod".parse().unwrap());
        let keys = Keys::of(&Path::from("team/ledger"), &name);
        let root = "team/ledger/registry.example.com=2facme=2fshop=3aprod";
        assert_eq!(keys.entry(42).as_ref(), format!("{root}/log/00000000000000000042.json"));
        assert_eq!(keys.entry(u64::MAX).as_ref(), format!("{root}/log/18446744073709551615.json"));
        assert_eq!(keys.hint().as_ref(), format!("{root}/hint/head.json"));
        assert_eq!(keys.index("state").as_ref(), format!("{root}/index/state"));
        assert_eq!(probe(&Path::from("")).as_ref(), "probe/create-if-absent.json");
    }

    #[test]
    fn only_a_key_of_the_one_form_is_a_position() {
        let seq = |name: &str| Keys::seq(&Path::from("a/log").join(name));
        assert_eq!(seq("00000000000000000042.json"), Some(42));
        for name in
            ["42.json", "0000000000000000004x.json", "00000000000000000042.json.tmp", "99999999999999999999.json"]
        {
            assert_eq!(seq(name), None, "{name}");
        }
    }
}
