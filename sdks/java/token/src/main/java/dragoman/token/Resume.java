package dragoman.token;

import dragoman.token.kaitai.KaitaiStruct;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Where the client is in each room: what it has, and what it catches up with. */
final class Resume {
    /** What a client asks to catch up from that wants nothing of the past. */
    private static final long BEGIN_NOW = (1L << 53) - 1;

    private final Events events;
    private final Map<Long, Room> rooms = new HashMap<>();

    private static final class Room {
        /** Up to which message those of the room have come. */
        private long newest;

        private CatchingUp catchingUp;
    }

    /** Missed messages are on their way. */
    private static final class CatchingUp {
        /** How many still follow the last reply. */
        private int left;

        private boolean asked;
        private boolean more = true;
        private long cursor;

        /** What was posted meanwhile. */
        private final List<Token.MessageNotification> held = new ArrayList<>();
    }

    Resume(Events events) {
        this.events = events;
    }

    /** What a client asks that is not in the room yet: where it begins. */
    static Request.CatchUp beginning(long roomId) {
        return new Request.CatchUp(roomId, BEGIN_NOW, 0);
    }

    /** The newest message of the room that has come; null where none is known. */
    synchronized Long newest(long roomId) {
        Room room = rooms.get(roomId);
        return room == null ? null : room.newest;
    }

    /** From now on messages of the room wait for those after {@code newest}, which were missed. */
    synchronized void begin(long roomId, long newest) {
        Room room = new Room();
        room.newest = newest;
        room.catchingUp = new CatchingUp();
        rooms.put(roomId, room);
    }

    /** The next request for what was missed; null when all has come. */
    synchronized Request.CatchUp next(long roomId) {
        Room room = rooms.get(roomId);
        if (room == null || room.catchingUp == null) {
            return null;
        }
        room.catchingUp.asked = true;
        return new Request.CatchUp(roomId, room.newest, 0);
    }

    /** Whether what the last request asked for has come. */
    synchronized boolean hasCome(long roomId) {
        Room room = rooms.get(roomId);
        return room == null || room.catchingUp == null || !room.catchingUp.asked && room.catchingUp.left == 0;
    }

    /** Waits for that; false when the time is over. */
    synchronized boolean await(long roomId, long until) throws InterruptedException {
        while (!hasCome(roomId)) {
            long leftMs = (until - System.nanoTime()) / 1_000_000;
            if (leftMs <= 0) {
                return false;
            }
            wait(leftMs);
        }
        return true;
    }

    /** The room could not be caught up with: what waited for that comes now. */
    synchronized void giveUp(long roomId) {
        Room room = rooms.get(roomId);
        if (room != null && room.catchingUp != null) {
            release(room);
        }
    }

    /** The connection is lost: what waited comes again on the next one. */
    synchronized void forgetHeld() {
        rooms.values().forEach(room -> room.catchingUp = null);
        notifyAll();
    }

    /** A reply: the missed messages follow it at once. */
    synchronized void replied(KaitaiStruct body) {
        if (!(body instanceof Token.CatchUpReply reply)) {
            return;
        }
        Room room = rooms.get(reply.roomId());
        if (room == null || room.catchingUp == null || !room.catchingUp.asked) {
            return;
        }
        CatchingUp catchingUp = room.catchingUp;
        catchingUp.asked = false;
        catchingUp.left = reply.count();
        catchingUp.more = reply.more() == 1;
        catchingUp.cursor = reply.cursor();
        if (reply.gapBefore() != 0) {
            events.push(new TokenEvent.Gap(reply.roomId(), room.newest, reply.gapBefore(), reply.gapCount()));
        }
        endOfBatch(room);
        notifyAll();
    }

    /** A notification. */
    synchronized void heard(KaitaiStruct body) {
        Room room = body instanceof Token.MessageNotification message ? rooms.get(message.roomId()) : null;
        if (room == null) {
            events.push(new TokenEvent.Notified(body));
            return;
        }
        Token.MessageNotification message = (Token.MessageNotification) body;
        if (room.catchingUp == null) {
            passOn(room, message);
        } else if (room.catchingUp.left == 0) {
            room.catchingUp.held.add(message);
        } else {
            room.catchingUp.left -= 1;
            passOn(room, message);
            endOfBatch(room);
            notifyAll();
        }
    }

    private void endOfBatch(Room room) {
        if (room.catchingUp.left == 0 && !room.catchingUp.more) {
            long cursor = room.catchingUp.cursor;
            release(room);
            room.newest = Math.max(room.newest, cursor);
        }
    }

    private void release(Room room) {
        List<Token.MessageNotification> held = room.catchingUp.held;
        room.catchingUp = null;
        held.forEach(message -> passOn(room, message));
    }

    /** What is caught up with may come twice. Within a room, ids ascend. */
    private void passOn(Room room, Token.MessageNotification message) {
        if (message.messageId() > room.newest) {
            room.newest = message.messageId();
            events.push(new TokenEvent.Notified(message));
        }
    }
}
