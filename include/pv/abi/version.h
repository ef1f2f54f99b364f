/* SPDX-License-Identifier: MIT */
/*
 * abi/version.h - xen_version(cmd, buffer): who is the hypervisor, and what can it do?
 *
 * Reference: xen/include/public/version.h (libxen-dev).
 */
#ifndef PV_ABI_VERSION_H
#define PV_ABI_VERSION_H

#include <pv/types.h>

#define XENVER_version             0  /* -> major << 16 | minor; no buffer */
#define XENVER_extraversion        1  /* xen_extraversion_t */
#define XENVER_compile_info        2  /* struct xen_compile_info */
#define XENVER_capabilities        3  /* xen_capabilities_info_t */
#define XENVER_changeset           4  /* xen_changeset_info_t */
#define XENVER_platform_parameters 5  /* struct xen_platform_parameters */
#define XENVER_get_features        6  /* struct xen_feature_info */
#define XENVER_pagesize            7  /* -> 4096; no buffer */
#define XENVER_guest_handle        8  /* xen_domain_handle_t */
#define XENVER_commandline         9  /* xen_commandline_t */
#define XENVER_build_id            10 /* struct xen_build_id; no buffer: its length */

#define XEN_EXTRAVERSION_LEN      16
#define XEN_CAPABILITIES_INFO_LEN 1024
#define XEN_CHANGESET_INFO_LEN    64

#ifndef __ASSEMBLER__

typedef char xen_extraversion_t[XEN_EXTRAVERSION_LEN];
typedef char xen_capabilities_info_t[XEN_CAPABILITIES_INFO_LEN];
typedef char xen_changeset_info_t[XEN_CHANGESET_INFO_LEN];
typedef char xen_commandline_t[1024];

struct xen_compile_info {
    char compiler[64];
    char compile_by[16];
    char compile_domain[32];
    char compile_date[32];
};

struct xen_platform_parameters {
    uint64_t virt_start; /* where the hypervisor's range begins */
};

struct xen_feature_info {
    uint32_t submap_idx; /* G: which 32 features */
    uint32_t submap;     /* H: bit n is feature 32 * submap_idx + n */
};

struct xen_build_id {
    uint32_t len; /* bytes of buf */
    uint8_t buf[];
};

PV_STATIC_ASSERT(sizeof(struct xen_compile_info) == 144, "compile_info");
PV_STATIC_ASSERT(sizeof(struct xen_feature_info) == 8, "feature_info");

#endif /* !__ASSEMBLER__ */
#endif
