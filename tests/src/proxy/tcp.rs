//! Forwards bytes without parsing them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fault, Shared};

/// Forwards the bytes of one client to the server, and the server's bytes back.
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
        // Close the sending direction only: the server first handles every byte that it received, then closes. The
        // client sees the end after that.
        server.shutdown(Shutdown::Write).ok();
    });
}

/// Forwards bytes to the server until a side closes, or until a fault ends the connection.
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
            Fault::Late(time) => {
                silent.store(true, Ordering::SeqCst);
                client.shutdown(Shutdown::Both)?;
                std::thread::sleep(time);
                return server.write_all(sent);
            }
            // The remaining faults need HTTP.
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
