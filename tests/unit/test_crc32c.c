/* SPDX-License-Identifier: Apache-2.0
 *
 * The vectors of RFC 3720 (iSCSI), B.4.
 */
#include "../../libagent/deliver/crc32c.h"
#include "tap.h"

int
main(void)
{
    unsigned char bytes[32];
    uint32_t whole, parts;
    size_t i, wrong = 0;

    memset(bytes, 0, sizeof(bytes));
    ok(crc32c(0, bytes, 32) == 0x8a9136aa, "32 zeros");
    memset(bytes, 0xff, sizeof(bytes));
    ok(crc32c(0, bytes, 32) == 0x62a8ab43, "32 ones");
    for (i = 0; i < 32; i++) {
        bytes[i] = (unsigned char) i;
    }
    ok(crc32c(0, bytes, 32) == 0x46dd794e, "ascending");
    for (i = 0; i < 32; i++) {
        bytes[i] = (unsigned char) (31 - i);
    }
    ok(crc32c(0, bytes, 32) == 0x113fdb5c, "descending");
    ok(crc32c(0, "123456789", 9) == 0xe3069283, "the check value");
    ok(crc32c(0, "", 0) == 0, "nothing");

    whole = crc32c(0, bytes, 32);
    for (i = 0; i <= 32; i++) {
        parts = crc32c(crc32c(0, bytes, i), bytes + i, 32 - i);
        wrong += parts != whole;
    }
    is_int(wrong, 0, "in two parts, wherever it is cut");

    return done_testing();
}
