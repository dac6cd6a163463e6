package dragoman.token.kaitai;

/**
 * A type of the layout. With the streams beside it this is what a parser by kaitai-struct-compiler 0.11 calls at run time, as far
 * as the one here does; the names are those that the compiler writes.
 */
public abstract class KaitaiStruct {
    protected final KaitaiStream _io;

    protected KaitaiStruct(KaitaiStream _io) {
        this._io = _io;
    }

    /** What it was read from. */
    public KaitaiStream _io() {
        return _io;
    }
}
