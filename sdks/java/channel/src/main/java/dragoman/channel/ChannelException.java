package dragoman.channel;

import dragoman.channel.model.Failure;
import java.time.Duration;

/** The gateway said no. Compare {@link #code()}; the message is for people, and may change. */
public final class ChannelException extends Exception {
    private static final long serialVersionUID = 1;

    /** What a failure's code says, in the order of its numbers. */
    public enum Code {
        /** A field is missing, empty or of the wrong type, a name cannot be one, a text is too long. */
        BAD_REQUEST,
        /** No token, or one that is unknown or has run out. */
        NOT_SIGNED_IN,
        WRONG_NAME_OR_PASSWORD,
        NAME_TAKEN,
        PASSWORDS_DIFFER,
        NO_SUCH_USER,
        NO_SUCH_CHANNEL,
        NOT_ALLOWED,
        CHANNEL_FULL,
        /** A limit. */
        SLOW_DOWN,
        /** The gateway's own trouble. */
        SERVER_ERROR;

        /** As it is on the wire. */
        public int number() {
            return ordinal() + 1;
        }
    }

    private final Code code;
    private final int status;
    private final Duration retryAfter;

    ChannelException(Failure failure, int status, Duration retryAfter) {
        super(failure.getMsg());
        this.code = Code.values()[failure.getCode().getValue() - 1];
        this.status = status;
        this.retryAfter = retryAfter;
    }

    /** Why, for programs. */
    public Code code() {
        return code;
    }

    /** Of the HTTP reply: 200 for what the dialect itself refuses. */
    public int status() {
        return status;
    }

    /** When to try again, where the gateway says so (429 and 503); else zero. */
    public Duration retryAfter() {
        return retryAfter;
    }

    /** Whether the same request may succeed later. */
    public boolean isPassing() {
        return code == Code.SLOW_DOWN || code == Code.SERVER_ERROR;
    }
}
