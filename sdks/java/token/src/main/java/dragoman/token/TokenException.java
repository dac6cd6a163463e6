package dragoman.token;

/** The gateway said no. Compare {@link #code()}; the message is for people. */
public final class TokenException extends Exception {
    private static final long serialVersionUID = 1;

    private final int number;

    TokenException(int number, String reason) {
        super(reason);
        this.number = number;
    }

    /** Why, for programs; null where it is one that this client does not know. */
    public Token.Result code() {
        return Token.Result.byId(number);
    }

    /** The code as it is on the wire. */
    public int number() {
        return number;
    }

    /** Whether the same request may succeed later. */
    public boolean isPassing() {
        return code() == Token.Result.E_LIMIT || code() == Token.Result.E_SERVER;
    }
}
