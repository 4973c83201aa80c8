#![cfg_attr(fuzzing, no_main)]

tagwarden_fuzz::target!(entry);
