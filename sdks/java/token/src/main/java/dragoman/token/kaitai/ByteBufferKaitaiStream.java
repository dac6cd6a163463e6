package dragoman.token.kaitai;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/** A stream of bytes in memory, big-endian. */
public final class ByteBufferKaitaiStream implements KaitaiStream {
    private final ByteBuffer bytes;

    public ByteBufferKaitaiStream(byte[] bytes) {
        this.bytes = ByteBuffer.wrap(bytes);
    }

    public ByteBufferKaitaiStream(String fileName) throws IOException {
        this(Files.readAllBytes(Path.of(fileName)));
    }

    @Override
    public boolean isEof() {
        return !bytes.hasRemaining();
    }

    @Override
    public byte[] readBytes(long count) {
        if (count > bytes.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] taken = new byte[(int) count];
        bytes.get(taken);
        return taken;
    }

    @Override
    public byte[] readBytesFull() {
        return readBytes(bytes.remaining());
    }

    @Override
    public KaitaiStream substream(long count) {
        return new ByteBufferKaitaiStream(readBytes(count));
    }

    @Override
    public int readU1() {
        return Byte.toUnsignedInt(bytes.get());
    }

    @Override
    public int readU2be() {
        return Short.toUnsignedInt(bytes.getShort());
    }

    @Override
    public long readU4be() {
        return Integer.toUnsignedLong(bytes.getInt());
    }

    @Override
    public long readU8be() {
        return bytes.getLong();
    }

    @Override
    public int readS4be() {
        return bytes.getInt();
    }
}
