/* SPDX-License-Identifier: MIT */
/*
 * abi/xenstore.h - the wire protocol of xenstore, and the page with two byte rings that carries it
 * between a guest and the store.
 *
 * A message is a header and at most XENSTORE_PAYLOAD_MAX bytes. The reply to a request has its
 * type (or XS_ERROR) and its req_id; watch events come on their own with req_id 0.
 * Strings in payloads end with a 0 byte, except the value of a write and of a read's reply.
 *
 * Reference: xen/include/public/io/xs_wire.h (libxen-dev), docs/misc/xenstore.txt of Xen.
 */
#ifndef PV_ABI_XENSTORE_H
#define PV_ABI_XENSTORE_H

#include <pv/types.h>

#define XEN_XS_CONTROL              0
#define XEN_XS_DIRECTORY            1  /* path -> names */
#define XEN_XS_READ                 2  /* path -> value */
#define XEN_XS_GET_PERMS            3  /* path -> perms */
#define XEN_XS_WATCH                4  /* path token */
#define XEN_XS_UNWATCH              5  /* path token */
#define XEN_XS_TRANSACTION_START    6  /* "" -> id */
#define XEN_XS_TRANSACTION_END      7  /* "T" commit, "F" abort */
#define XEN_XS_INTRODUCE            8  /* domid gfn port */
#define XEN_XS_RELEASE              9  /* domid */
#define XEN_XS_GET_DOMAIN_PATH      10 /* domid -> path */
#define XEN_XS_WRITE                11 /* path, then the value */
#define XEN_XS_MKDIR                12 /* path */
#define XEN_XS_RM                   13 /* path */
#define XEN_XS_SET_PERMS            14 /* path perms */
#define XEN_XS_WATCH_EVENT          15 /* path token, from the store */
#define XEN_XS_ERROR                16 /* name of an errno, from the store */
#define XEN_XS_IS_DOMAIN_INTRODUCED 17 /* domid -> "T" or "F" */
#define XEN_XS_RESUME               18 /* domid */
#define XEN_XS_SET_TARGET           19 /* domid target */
#define XEN_XS_RESET_WATCHES        21
#define XEN_XS_DIRECTORY_PART       22 /* path offset -> generation, names */

#define XENSTORE_RING_SIZE    1024
#define XENSTORE_PAYLOAD_MAX  4096
#define XENSTORE_ABS_PATH_MAX 3072
#define XENSTORE_REL_PATH_MAX 2048

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1
#define XENSTORE_SERVER_FEATURE_ERROR        2
#define XENSTORE_CONNECTED                   0
#define XENSTORE_RECONNECT                   1
#define XENSTORE_ERROR_NONE                  0
#define XENSTORE_ERROR_COMM                  1
#define XENSTORE_ERROR_RINGIDX               2
#define XENSTORE_ERROR_PROTO                 3

#ifndef __ASSEMBLER__

struct xen_xsd_sockmsg {
    uint32_t type;
    uint32_t req_id; /* the asker's, echoed */
    uint32_t tx_id;  /* 0: no transaction */
    uint32_t len;    /* of the payload */
};

struct xenstore_domain_interface {
    char req[1024];           /* guest -> store */
    char rsp[1024];           /* store -> guest */
    uint32_t req_cons;        /* store */
    uint32_t req_prod;        /* G */
    uint32_t rsp_cons;        /* G */
    uint32_t rsp_prod;        /* store */
    uint32_t server_features; /* store */
    uint32_t connection;      /* store, and G to ask for a reconnection */
    uint32_t error;           /* store */
};

PV_STATIC_ASSERT(sizeof(struct xen_xsd_sockmsg) == 16, "xsd_sockmsg");
PV_STATIC_ASSERT(sizeof(struct xenstore_domain_interface) == 2076, "xenstore_domain_interface");

#endif /* !__ASSEMBLER__ */
#endif
