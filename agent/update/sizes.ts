/** Sizes that manifest, installation, tools and simulator agree on (ota/FORMAT.md). */

/** Of every block of an image but its last: what is hashed, fetched and written at a time. */
export const BLOCK_BYTES = 65_536;
/** A uImage's header (U-Boot, include/image.h), which has a checksum of its own. */
export const HEADER_BYTES = 64;
