package dragoman.token;

import dragoman.token.kaitai.KaitaiStruct;

/** What happens without being asked for. */
public sealed interface TokenEvent {
    /**
     * The gateway told of something.
     *
     * @param body a {@link Token.MessageNotification}, {@link Token.MemberChangedNotification} or {@link Token.PopulationChangedNotification}
     */
    record Notified(KaitaiStruct body) implements TokenEvent {}

    /**
     * Messages of a room that were missed and are not there any more, because they were removed: those after the message {@code after}
     * and before {@code before}.
     *
     * @param count how many; 0 where that is not known any more
     */
    record Gap(long roomId, long after, long before, long count) implements TokenEvent {}

    /** The connection ended. The client connects again by itself; the messages of the meantime come then. */
    record Disconnected(String why) implements TokenEvent {}

    /** The connection is there again, with its login and in its rooms, but for those that the events before this one name. */
    record Reconnected() implements TokenEvent {}

    /** On a new connection the login was refused. */
    record LoginLost(TokenException refusal) implements TokenEvent {}

    /** On a new connection a room could not be entered. */
    record RoomLost(long roomId, TokenException refusal) implements TokenEvent {}

    /** The number of events dropped here because they were not read in time. */
    record Missed(long count) implements TokenEvent {}
}
