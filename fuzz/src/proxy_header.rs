//! The header that a proxy puts before a connection.

use dragoman::proxy_header::{Progress, read};

/// Reads as a connection would: never beyond the header, and always to an end.
pub fn proxy_header(data: &[u8]) {
    let mut read_bytes = 0;
    loop {
        match read(&data[..read_bytes]) {
            Progress::More(more) => {
                assert!(more > 0, "nothing more is asked for");
                read_bytes += more;
                if read_bytes > data.len() {
                    // Cut there, it asks for the rest, or is no header at all.
                    let cut = read(data);
                    assert!(!matches!(cut, Progress::Whole(_)), "{cut:?} is cut off");
                    return;
                }
            }
            Progress::Whole(_) | Progress::Wrong(_) => return,
        }
    }
}
