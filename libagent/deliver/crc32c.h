/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C (Castagnoli), as iSCSI, ext4 and LevelDB use it: finds every burst
 * of up to 32 wrong bits, which is what disks and torn writes leave.
 */
#ifndef INTENT_DELIVER_CRC32C_H
#define INTENT_DELIVER_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum; begin with 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
