package dragoman.token;

import dragoman.token.kaitai.ByteBufferKaitaiStream;
import dragoman.token.kaitai.KaitaiStruct;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Frames: requests into bytes, bytes into what came. */
public final class Frame {
    /** Longer than anything that the gateway sends; what claims to be longer is no frame. */
    private static final int LENGTH_MAX = 16 << 20;

    private static final int LENGTH_BYTES = 4;
    private static final int RESULT_AT = 10;
    private static final int REPLY = 0x8000;

    private final byte[] bytes;
    private final Token.Content content;

    private Frame(byte[] bytes) {
        this.bytes = bytes;
        this.content = new Token(new ByteBufferKaitaiStream(bytes)).frames().get(0).content();
    }

    static byte[] of(Request request, int sequence) {
        Writer out = new Writer();
        out.u4(0);
        out.u2(request.command());
        out.u4(sequence);
        request.write(out);
        return out.framed();
    }

    /** The next frame of a stream. */
    static Frame read(DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > LENGTH_MAX) {
            throw new IOException("not the token protocol: a frame of " + Integer.toUnsignedString(length) + " bytes");
        }
        byte[] bytes = new byte[LENGTH_BYTES + length];
        ByteBuffer.wrap(bytes).putInt(length);
        in.readFully(bytes, LENGTH_BYTES, length);
        try {
            return new Frame(bytes);
        } catch (BufferUnderflowException cutOff) {
            throw new IOException("not the token protocol: a frame that is cut off", cutOff);
        }
    }

    boolean isReply() {
        return content.isReply();
    }

    /** Whether it is the reply to that request. */
    boolean isReplyTo(int command, int sequence) {
        return content.isReply() && content.command() == (command | REPLY) && (int) content.sequence() == sequence;
    }

    /** The body; null where it is a notification that this client does not know. */
    KaitaiStruct body() {
        return content.body() instanceof KaitaiStruct body ? body : null;
    }

    /** Why it was not done; null in a reply that is OK. */
    TokenException refusal() {
        int result = Short.toUnsignedInt(ByteBuffer.wrap(bytes).getShort(RESULT_AT));
        if (result == Token.Result.OK.id()) {
            return null;
        }
        return new TokenException(result, ((Token.Failure) content.body()).reason().text());
    }

    /** The encoder of what the layout is made of, big-endian. */
    public static final class Writer {
        private ByteBuffer out = ByteBuffer.allocate(256);

        void u1(int number) {
            room(1).put((byte) number);
        }

        void u2(int number) {
            room(2).putShort((short) number);
        }

        void u4(long number) {
            room(4).putInt((int) number);
        }

        void u8(long number) {
            room(8).putLong(number);
        }

        void s4(int number) {
            room(4).putInt(number);
        }

        /** A text behind the count of its bytes, which has {@code countBytes} bytes. */
        void text(String text, int countBytes) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            if (countBytes == 2 && bytes.length > 0xFFFF) {
                throw new IllegalArgumentException("a text of " + bytes.length + " bytes, where 65535 are the most");
            }
            if (countBytes == 2) {
                u2(bytes.length);
            } else {
                u4(bytes.length);
            }
            room(bytes.length).put(bytes);
        }

        /** All that was written, its length at the front. */
        byte[] framed() {
            out.putInt(0, out.position() - LENGTH_BYTES);
            byte[] frame = new byte[out.flip().remaining()];
            out.get(frame);
            return frame;
        }

        private ByteBuffer room(int more) {
            if (out.remaining() < more) {
                out = ByteBuffer.allocate(2 * (out.position() + more)).put(out.flip());
            }
            return out;
        }
    }
}
