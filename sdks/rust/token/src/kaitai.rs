//! What a parser by kaitai-struct-compiler 0.11 calls at run time, as far as the generated one here
//! does: Kaitai's own runtime for Rust is not on crates.io. The names are those that the compiler writes.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::{Rc, Weak};

pub type KResult<T> = Result<T, KError>;

/// Why bytes are not what the layout says.
#[derive(Clone, Debug, PartialEq)]
pub enum KError {
    /// More bytes were to come than there are.
    Eof { requested: usize, available: usize },
    /// A text is not UTF-8.
    Encoding,
    /// What is inside was asked for without what is around it.
    NoParent,
}

impl fmt::Display for KError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof { requested, available } => {
                write!(out, "{requested} bytes should follow, there are {available}")
            }
            Self::Encoding => out.write_str("a text is not UTF-8"),
            Self::NoParent => out.write_str("a part without what it is part of"),
        }
    }
}

/// Bytes, and how far they are read.
pub trait KStream {
    /// The same bytes from here on, read apart.
    fn clone(&self) -> BytesReader;
    fn is_eof(&self) -> bool;
    fn read_bytes(&self, count: usize) -> KResult<Vec<u8>>;
    fn read_bytes_full(&self) -> KResult<Vec<u8>>;
    fn read_u1(&self) -> KResult<u8>;
    fn read_u2be(&self) -> KResult<u16>;
    fn read_u4be(&self) -> KResult<u32>;
    fn read_u8be(&self) -> KResult<u64>;
    fn read_s4be(&self) -> KResult<i32>;
}

#[derive(Clone, Debug, Default)]
pub struct BytesReader {
    bytes: Rc<Vec<u8>>,
    at: Cell<usize>,
}

impl From<Vec<u8>> for BytesReader {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: Rc::new(bytes), at: Cell::new(0) }
    }
}

impl BytesReader {
    fn take(&self, requested: usize) -> KResult<&[u8]> {
        let rest = &self.bytes[self.at.get()..];
        let taken = rest.get(..requested);
        let taken = taken.ok_or(KError::Eof { requested, available: rest.len() })?;
        self.at.set(self.at.get() + requested);
        Ok(taken)
    }

    fn array<const N: usize>(&self) -> KResult<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("take gives as many as asked"))
    }
}

impl KStream for BytesReader {
    fn clone(&self) -> BytesReader {
        Clone::clone(self)
    }

    fn is_eof(&self) -> bool {
        self.at.get() == self.bytes.len()
    }

    fn read_bytes(&self, count: usize) -> KResult<Vec<u8>> {
        self.take(count).map(<[u8]>::to_vec)
    }

    fn read_bytes_full(&self) -> KResult<Vec<u8>> {
        self.read_bytes(self.bytes.len() - self.at.get())
    }

    fn read_u1(&self) -> KResult<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn read_u2be(&self) -> KResult<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn read_u4be(&self) -> KResult<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn read_u8be(&self) -> KResult<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn read_s4be(&self) -> KResult<i32> {
        self.array().map(i32::from_be_bytes)
    }
}

/// `encoding` is always UTF-8 in this layout.
#[allow(clippy::ptr_arg, reason = "the generated code has a Vec inferred from it")]
pub fn bytes_to_str(bytes: &Vec<u8>, _encoding: &str) -> KResult<String> {
    String::from_utf8(bytes.clone()).map_err(|_| KError::Encoding)
}

/// A type of the layout.
pub trait KStruct: Default + 'static {
    type Root: KStruct;
    type Parent: KStruct;

    fn read<S: KStream>(
        self_rc: &OptRc<Self>,
        io: &S,
        root: SharedType<Self::Root>,
        parent: SharedType<Self::Parent>,
    ) -> KResult<()>;

    /// Reads a `T`. Without a root it is its own.
    fn read_into<S: KStream, T: KStruct>(
        io: &S,
        root: Option<SharedType<T::Root>>,
        parent: Option<SharedType<T::Parent>>,
    ) -> KResult<OptRc<T>> {
        let made = Rc::new(T::default());
        let root = root.unwrap_or_else(|| {
            let own: Rc<dyn Any> = made.clone();
            SharedType(RefCell::new(
                own.downcast().map_or_else(|_| Weak::new(), |own| Rc::downgrade(&own)),
            ))
        });
        let made = OptRc(Some(made));
        T::read(&made, io, root, parent.unwrap_or_default())?;
        Ok(made)
    }
}

/// The parent of what may be in several places.
#[derive(Clone, Debug, Default)]
pub struct KStructUnit;

impl KStruct for KStructUnit {
    type Root = Self;
    type Parent = Self;

    fn read<S: KStream>(
        _: &OptRc<Self>,
        _: &S,
        _: SharedType<Self>,
        _: SharedType<Self>,
    ) -> KResult<()> {
        Ok(())
    }
}

/// A part that is there once its owner is read.
pub struct OptRc<T>(Option<Rc<T>>);

impl<T> Deref for OptRc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect("a part is looked at only in what was read")
    }
}

impl<T> Clone for OptRc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for OptRc<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: fmt::Debug> fmt::Debug for OptRc<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The way back to what owns a part, which does not keep it.
pub struct SharedType<T>(RefCell<Weak<T>>);

impl<T> SharedType<T> {
    pub fn get(&self) -> KResult<OptRc<T>> {
        let owner = self.0.borrow().upgrade().ok_or(KError::NoParent)?;
        Ok(OptRc(Some(owner)))
    }

    pub fn set(&self, owner: KResult<OptRc<T>>) {
        if let Ok(OptRc(Some(owner))) = owner {
            *self.0.borrow_mut() = Rc::downgrade(&owner);
        }
    }

    pub fn get_value(&self) -> &RefCell<Weak<T>> {
        &self.0
    }
}

impl<T> Clone for SharedType<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for SharedType<T> {
    fn default() -> Self {
        Self(RefCell::new(Weak::new()))
    }
}

impl<T> fmt::Debug for SharedType<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(owner)")
    }
}
