/**
 * A free TCP port on 127.0.0.1, by chance, which no outgoing connection is given while its process is down; another
 * process may still take it before the caller does. Rejects when no port can be listened to at all.
 */
export function freePort(): Promise<number>;
