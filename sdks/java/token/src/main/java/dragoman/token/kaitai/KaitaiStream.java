package dragoman.token.kaitai;

/** Bytes, and how far they are read. Reading beyond the end throws {@link java.nio.BufferUnderflowException}. */
public interface KaitaiStream {
    boolean isEof();

    byte[] readBytes(long count);

    /** All that is left. */
    byte[] readBytesFull();

    /** The next bytes, as a stream of their own. */
    KaitaiStream substream(long count);

    int readU1();

    int readU2be();

    long readU4be();

    /** Unsigned, as Java does it: above 2^63 it is negative. */
    long readU8be();

    int readS4be();
}
