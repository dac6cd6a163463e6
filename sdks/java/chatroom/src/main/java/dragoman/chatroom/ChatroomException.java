package dragoman.chatroom;

import java.util.Set;

/** The gateway said no. The dialect's codes are words. */
public final class ChatroomException extends Exception {
    private static final long serialVersionUID = 1;

    private static final Set<String> PASSING = Set.of("slow down", "server busy", "server error");

    private final String code;
    private final int status;

    ChatroomException(String code, int status) {
        super(status == 0 ? code : code + " (HTTP status " + status + ")");
        this.code = code;
        this.status = status;
    }

    /** Why, for programs: {@code res} over HTTP, {@code msg} of a packet {@code error} over the WebSocket. */
    public String code() {
        return code;
    }

    /** Of the HTTP reply, 200 for what the dialect itself refuses; 0 over the WebSocket. */
    public int status() {
        return status;
    }

    /** Whether the same request may succeed later. */
    public boolean isPassing() {
        return PASSING.contains(code) || status == 429 || status >= 500;
    }
}
