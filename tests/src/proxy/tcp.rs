//! Bytes that the proxy does not look at.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fault, Shared};

/// Carries one client's bytes to the server, and the server's back.
pub(super) fn serve(shared: &Shared, client: TcpStream) {
    let Ok(server) = TcpStream::connect(&shared.upstream) else { return };
    server.set_nodelay(true).ok();
    let silent = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            carry_back(&silent, &server, &client).ok();
            client.shutdown(Shutdown::Both).ok();
        });
        carry_there(shared, &silent, &client, &server).ok();
        // The server acts on all that it was sent before it sees that this was all, and hangs up: only then does the
        // client hear of it.
        server.shutdown(Shutdown::Write).ok();
    });
}

/// Carries bytes to the server until one side or a fault ends it.
fn carry_there(shared: &Shared, silent: &AtomicBool, mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        let length = client.read(&mut buffer)?;
        let Some(sent) = buffer.get(..length).filter(|sent| !sent.is_empty()) else { return Ok(()) };
        match shared.draw(sent) {
            Fault::Cut => return server.shutdown(Shutdown::Both),
            Fault::LoseAnswer => {
                silent.store(true, Ordering::SeqCst);
                return server.write_all(sent);
            }
            Fault::Delay(time) => std::thread::sleep(time),
            // The others need HTTP.
            Fault::Pass | Fault::Repeat(_) | Fault::StripCondition => {}
        }
        server.write_all(sent)?;
    }
}

fn carry_back(silent: &AtomicBool, mut server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        let length = server.read(&mut buffer)?;
        let Some(answer) = buffer.get(..length).filter(|answer| !answer.is_empty()) else { return Ok(()) };
        if !silent.load(Ordering::SeqCst) {
            client.write_all(answer)?;
        }
    }
}
