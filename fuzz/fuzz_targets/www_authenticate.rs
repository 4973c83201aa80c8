#![cfg_attr(fuzzing, no_main)]

tagwarden_fuzz::target!(www_authenticate);
