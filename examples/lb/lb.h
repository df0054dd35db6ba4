// What the load balancer and its host tell each other through maps. Addresses and ports are in network byte order.
#ifndef LB_H
#define LB_H

#include <linux/types.h>

enum { MAX_BACKENDS_OF_SERVICE = 4 };

struct service_key {
    __be32 address;
    __be16 port;                // 0 for ICMP
    __u8 protocol;
    __u8 zero;
};

enum { SERVICE_ENCAPSULATES = 1 };  // IP in IP instead of a rewritten destination

struct service {
    __u32 flags;
    __u32 n_backends;
    __u32 backends[MAX_BACKENDS_OF_SERVICE];
};

struct backend {
    __be32 address;
    __u8 mac[6];
    __u16 zero;
};

struct flow_key {
    __be32 source;
    __be32 destination;
    __be16 source_port;
    __be16 destination_port;
    __u8 protocol;
    __u8 zero[3];
};

struct flow {
    __u32 backend;
    __u32 packets;
    __u64 last_seen;
};

struct prefix {
    __u32 length;
    __be32 address;
};

// How many new connections of one source there were in the running second.
struct source {
    __u64 second;
    __u64 connections;
};

enum statistic {
    SEEN, NOT_IP, MALFORMED, BLOCKED, RATE_LIMITED, NO_SERVICE, NO_BACKEND, NEW_FLOW, KNOWN_FLOW, CLOSED_FLOW, REWRITTEN, ENCAPSULATED, ECHOED,
    STATISTICS,
};

struct event {
    __u64 time;
    __u32 what;                 // enum statistic
    __be32 source;
    __be32 destination;
    __be16 destination_port;
    __u8 protocol;
    __u8 zero;
};

// What one program of the chain tells the next.
struct parsed {
    __u32 ip_offset;
    __u32 transport_offset;
};

#endif
