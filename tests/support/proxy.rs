//! A network between the program and a server, with the faults that networks have.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the network does.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Connections end as soon as they begin.
    Refused,
    /// Everything takes this long.
    Late(Duration),
    /// The connection ends before the server gets what has these bytes in it, so many times.
    CutBefore(&'static str, u32),
    /// The connection ends when the server has got what has these bytes in it and before its answer
    /// arrives, so many times.
    CutAfter(&'static str, u32),
    /// From the moment that these bytes have arrived, nothing comes through in either direction on
    /// their connection, and nobody is told; so many times.
    Swallowed(&'static str, u32),
}

/// A port of this machine behind which a server is.
pub(crate) struct Proxy {
    port: u16,
    fault: Arc<Mutex<Fault>>,
}

impl Proxy {
    /// A network before the server of an address.
    pub(crate) fn before(url: &str) -> Self {
        let place = url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(Mutex::new(Fault::None));
        let shared = Arc::clone(&fault);
        // It ends with the process of the tests.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if matches!(*shared.lock().unwrap(), Fault::Refused) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&place) else { continue };
                join(&near, &far, &shared);
            }
        });
        Self { port, fault }
    }

    /// The address by way of the network.
    pub(crate) fn of(&self, url: &str) -> String {
        let (who, place) = url.rsplit_once('@').unwrap();
        format!("{who}@127.0.0.1:{}/{}", self.port, place.split_once('/').unwrap().1)
    }

    /// What the network does from now on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// How many of the faults are still to come.
    pub(crate) fn left(&self) -> u32 {
        match *self.fault.lock().unwrap() {
            Fault::CutBefore(_, left) | Fault::CutAfter(_, left) | Fault::Swallowed(_, left) => {
                left
            }
            _ => 0,
        }
    }
}

/// What is to be done with a part of a stream.
enum Part {
    Pass,
    Cut { is_sent: bool },
    Swallow,
}

fn join(near: &TcpStream, far: &TcpStream, fault: &Arc<Mutex<Fault>>) {
    let is_swallowed = Arc::new(Mutex::new(false));
    for (from, to, asks) in [(near, far, true), (far, near, false)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let (fault, is_swallowed) = (Arc::clone(fault), Arc::clone(&is_swallowed));
        thread::spawn(move || carry(from, to, asks, &fault, &is_swallowed));
    }
}

fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    asks: bool,
    fault: &Mutex<Fault>,
    is_swallowed: &Mutex<bool>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let part = &bytes[..count];
        match if asks { judged(part, fault) } else { late(fault) } {
            Part::Pass => {}
            Part::Swallow => *is_swallowed.lock().unwrap() = true,
            Part::Cut { is_sent } => {
                if is_sent {
                    *is_swallowed.lock().unwrap() = true;
                    let _ = to.write_all(part);
                    // The server has to have done it.
                    thread::sleep(Duration::from_millis(200));
                }
                break;
            }
        }
        if !*is_swallowed.lock().unwrap() && to.write_all(part).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn late(fault: &Mutex<Fault>) -> Part {
    let Fault::Late(wait) = *fault.lock().unwrap() else { return Part::Pass };
    thread::sleep(wait);
    Part::Pass
}

fn judged(part: &[u8], fault: &Mutex<Fault>) -> Part {
    let has = |wanted: &str| part.windows(wanted.len()).any(|window| window == wanted.as_bytes());
    match &mut *fault.lock().unwrap() {
        Fault::CutBefore(wanted, left) if *left > 0 && has(wanted) => {
            *left -= 1;
            Part::Cut { is_sent: false }
        }
        Fault::CutAfter(wanted, left) if *left > 0 && has(wanted) => {
            *left -= 1;
            Part::Cut { is_sent: true }
        }
        Fault::Swallowed(wanted, left) if *left > 0 && has(wanted) => {
            *left -= 1;
            Part::Swallow
        }
        _ => Part::Pass,
    }
}
