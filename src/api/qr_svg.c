#include "api/qr_svg.h"

#include <qrencode.h>

#include "base/buf.h"

#define TEXT_BYTES_MAX 1024
/* Modules of light around it (ISO/IEC 18004 section 6.3.8). */
#define QUIET_ZONE 4
/* "M123 123h123v1h-123z" for a run of dark modules. */
#define RUN_BYTES_MAX  24
#define HEAD_BYTES_MAX 256

/* A path over the runs of dark modules of each row. */
static void put_path(struct gh_buf *buf, const QRcode *code)
{
    for (int y = 0; y < code->width; y++) {
        for (int x = 0; x < code->width;) {
            int start = x;
            while (x < code->width && (code->data[y * code->width + x] & 1))
                x++;
            if (x > start)
                gh_buf_format(buf, "M%d %dh%dv1h-%dz", start + QUIET_ZONE, y + QUIET_ZONE,
                              x - start, x - start);
            else
                x++;
        }
    }
}

static struct gh_str draw(struct gh_arena *arena, const QRcode *code)
{
    size_t cap = HEAD_BYTES_MAX + (size_t)code->width * (size_t)code->width / 2 * RUN_BYTES_MAX;
    int side = code->width + 2 * QUIET_ZONE;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(memory, cap);
    gh_buf_format(&buf,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                  "shape-rendering=\"crispEdges\" role=\"img\"><path fill=\"#fff\" "
                  "d=\"M0 0h%dv%dH0z\"/><path d=\"",
                  side, side, side, side);
    put_path(&buf, code);
    gh_buf_put(&buf, GH_STR("\"/></svg>"));
    return buf.overflow ? (struct gh_str){NULL, 0} : gh_buf_str(&buf);
}

struct gh_str gh_qr_svg(struct gh_arena *arena, struct gh_str text)
{
    struct gh_str svg = {NULL, 0};
    struct gh_str copy = text.len <= TEXT_BYTES_MAX ? gh_arena_dup(arena, text) : svg;
    if (!copy.ptr)
        return svg;
    QRcode *code = QRcode_encodeString8bit(copy.ptr, 0, QR_ECLEVEL_M);
    if (!code)
        return svg;
    svg = draw(arena, code);
    QRcode_free(code);
    return svg;
}
