//! `tagwarden dev`: a registry to try out.

use std::io::Write;

use serde_json::json;
use tagwarden::{Error, ErrorKind, Result};
use tagwarden_testing::{Login, MemoryRegistry, RegistryServer};

use crate::args::{DevRegistryArgs, Global};
use crate::interrupt::Signals;
use crate::progress::say;
use crate::render::Answer;

/// The user of `--login`, and the password. The registry is on loopback and empty, so they guard nothing.
const USER: &str = "ci";

/// Serves a registry until Ctrl-C. The text about its address is on standard error with `--json`, because standard output
/// has one object.
pub(super) async fn registry(args: DevRegistryArgs, global: &Global) -> Result<Answer> {
    let memory = match args.vendor {
        Some(vendor) => MemoryRegistry::of_vendor(vendor),
        None => MemoryRegistry::new(),
    };
    if let Some(lag) = args.lag {
        memory.lag(lag);
    }
    memory.immutable_tags(args.immutable.clone(), args.excluding.clone());
    let server = RegistryServer::start_on(args.port, memory.clone()).await.map_err(|e| taken(args.port, &e))?;
    for path in &args.repository {
        memory.create_repository(&format!("{}/{path}", server.host()).parse()?);
    }
    if args.login {
        server.demand(Login::new(USER, USER));
    }
    // Before the text, because Ctrl-C may follow at once.
    let mut signals = Signals::new()?;
    let begun = begun(&args, server.host());
    if global.json {
        begun.lines().for_each(say);
    } else {
        // Ignore write errors: stdout may be closed.
        let _ = writeln!(std::io::stdout().lock(), "{begun}");
    }
    signals.next().await;
    let (host, requests) = (server.host().to_owned(), server.requests().len());
    server
        .stop()
        .await
        .map_err(|e| Error::new(ErrorKind::InternalFault, format!("the registry on {host} did not end well: {e}")))?;
    let answer =
        Answer::done(&json!({ "address": host, "requests": requests }), format!("Ended after {requests} requests."))?;
    match args.vendor {
        Some(vendor) => answer.with("vendor", &vendor.name()),
        None => Ok(answer),
    }
}

/// The address, and how to push to it.
fn begun(args: &DevRegistryArgs, host: &str) -> String {
    let what = args.vendor.map_or("A registry".to_owned(), |vendor| format!("A registry like {vendor}"));
    let path = args.repository.first().map_or("acme/shop", String::as_str);
    let mut text = format!("{what} on http://{host}, until Ctrl-C. Then its content is lost.\n");
    if args.login {
        text.push_str(&format!("Log in:  docker login {host}   (user {USER}, password {USER})\n"));
    }
    text.push_str(&format!(
        "Push:    tagwarden artifact push {host}/{path}:1.4.2 --path ./deploy\n         \
         skopeo copy --dest-tls-verify=false docker-daemon:shop:1.4.2 docker://{host}/{path}:1.4.2\n\
         Then:    tagwarden bootstrap {host}/{path}:prod --source 1.4.2"
    ));
    text
}

fn taken(port: u16, why: &std::io::Error) -> Error {
    let message = format!("--port {port}: it cannot be had on 127.0.0.1: {why}; --port 0 takes a free one");
    Error::new(ErrorKind::ConfigInvalid, message)
}
