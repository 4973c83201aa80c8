//! Tells the linker that Node's own symbols are found when Node loads the library, and makes the directory for its types.

fn main() -> std::io::Result<()> {
    if let Some(types) = std::env::var_os("NAPI_TYPE_DEF_TMP_FOLDER") {
        std::fs::create_dir_all(types)?;
    }
    napi_build::setup();
    Ok(())
}
