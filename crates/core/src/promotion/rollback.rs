//! `AfterRollback`: the hold of promotions that a rollback takes.

crate::error::words! {
    /// The step that each rollback takes before it waits for another move or writes its intent.
    #[derive(Default)]
    pub enum AfterRollback {
        /// No step.
        Nothing => "none" default,
        /// A hold stops promotions until a person ends it.
        Hold => "hold",
    }
}
