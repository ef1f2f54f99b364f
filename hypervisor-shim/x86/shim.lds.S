/* SPDX-License-Identifier: MIT
 *
 * shim.lds.S - the image: one contiguous load from IMAGE_START on, so that multiboot's address
 * fields can describe it; the host's view is at the fixed address that the tools know.
 */
#include "layout.h"
OUTPUT_FORMAT("elf64-x86-64")
OUTPUT_ARCH(i386:x86-64)
ENTRY(boot_entry)
PHDRS { image PT_LOAD FLAGS(7); }
SECTIONS
{
    . = DIRECT_BASE + IMAGE_START;
    image_start = .;
    .boot : AT(ADDR(.boot) - DIRECT_BASE) { KEEP(*(.boot)) } :image
    ASSERT(. <= DIRECT_BASE + IMAGE_START + 0x1000, "the boot code is one page")
    . = DIRECT_BASE + IMAGE_START + 0x1000;
    .hostview : AT(ADDR(.hostview) - DIRECT_BASE) { KEEP(*(.hostview)) . = ALIGN(4096); } :image
    text_start = .;
    .text : AT(ADDR(.text) - DIRECT_BASE) { *(.text .text.*) . = ALIGN(4096); } :image
    rodata_start = .;
    .rodata : AT(ADDR(.rodata) - DIRECT_BASE)
    {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        extable_start = .;
        KEEP(*(.extable))
        extable_end = .;
        . = ALIGN(4096);
    } :image
    data_start = .;
    .data : AT(ADDR(.data) - DIRECT_BASE) { *(.data.page) *(.data .data.*) . = ALIGN(4096); } :image
    load_end = .;
    bss_start = .;
    .bss : AT(ADDR(.bss) - DIRECT_BASE) { *(.bss.page) *(.bss .bss.*) *(COMMON) . = ALIGN(4096); } :image
    image_end = .;
    ASSERT(image_end - DIRECT_BASE <= 0x600000, "firmware needs what lies behind the image")
    /DISCARD/ : { *(.note*) *(.comment) *(.eh_frame*) }
}
