#ifndef BELFRY_GATEWAY_MEDIA_TYPES_H
#define BELFRY_GATEWAY_MEDIA_TYPES_H

#define BF_TYPE_PLAYLIST "application/vnd.apple.mpegurl" /* RFC 8216 section 4 */
#define BF_TYPE_MANIFEST "application/dash+xml"          /* ISO/IEC 23009-1 annex C */
#define BF_TYPE_MEDIA "video/mp4"
#define BF_TYPE_JPEG "image/jpeg"

#endif
