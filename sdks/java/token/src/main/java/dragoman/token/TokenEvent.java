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

    /** The connection ended. The client connects again by itself. What happens in the meantime is not told later. */
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
