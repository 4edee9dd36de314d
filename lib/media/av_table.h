/* libav*, opened when it is first needed. libavformat brings more than a hundred libraries and 20 MB of resident memory
 * with it, which a service that only waits should not carry. Calls look as always: the names below are macros for
 * entries of a table that bf_av_load fills; a name that is missing here does not link. Private to lib/media. */
#ifndef BELFRY_MEDIA_AV_TABLE_H
#define BELFRY_MEDIA_AV_TABLE_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>

#define BF_AV_FORMAT(X)                                                                                                \
    X(av_find_best_stream)                                                                                             \
    X(av_find_input_format)                                                                                            \
    X(av_read_frame)                                                                                                   \
    X(av_write_frame)                                                                                                  \
    X(av_write_trailer)                                                                                                \
    X(avformat_alloc_context)                                                                                          \
    X(avformat_alloc_output_context2)                                                                                  \
    X(avformat_close_input)                                                                                            \
    X(avformat_find_stream_info)                                                                                       \
    X(avformat_free_context)                                                                                           \
    X(avformat_new_stream)                                                                                             \
    X(avformat_open_input)                                                                                             \
    X(avformat_write_header)                                                                                           \
    X(avio_alloc_context)                                                                                              \
    X(avio_context_free)                                                                                               \
    X(avio_flush)                                                                                                      \
    X(avio_seek)

#define BF_AV_CODEC(X)                                                                                                 \
    X(av_grow_packet)                                                                                                  \
    X(av_packet_alloc)                                                                                                 \
    X(av_packet_free)                                                                                                  \
    X(av_packet_make_writable)                                                                                         \
    X(av_packet_rescale_ts)                                                                                            \
    X(av_packet_unref)                                                                                                 \
    X(avcodec_alloc_context3)                                                                                          \
    X(avcodec_find_decoder)                                                                                            \
    X(avcodec_find_encoder)                                                                                            \
    X(avcodec_find_encoder_by_name)                                                                                    \
    X(avcodec_free_context)                                                                                            \
    X(avcodec_open2)                                                                                                   \
    X(avcodec_parameters_copy)                                                                                         \
    X(avcodec_parameters_to_context)                                                                                   \
    X(avcodec_receive_frame)                                                                                           \
    X(avcodec_receive_packet)                                                                                          \
    X(avcodec_send_frame)                                                                                              \
    X(avcodec_send_packet)

#define BF_AV_UTIL(X)                                                                                                  \
    X(av_asprintf)                                                                                                     \
    X(av_dict_free)                                                                                                    \
    X(av_dict_set)                                                                                                     \
    X(av_dict_set_int)                                                                                                 \
    X(av_frame_alloc)                                                                                                  \
    X(av_frame_free)                                                                                                   \
    X(av_frame_get_buffer)                                                                                             \
    X(av_frame_make_writable)                                                                                          \
    X(av_frame_unref)                                                                                                  \
    X(av_free)                                                                                                         \
    X(av_freep)                                                                                                        \
    X(av_log_format_line2)                                                                                             \
    X(av_log_set_callback)                                                                                             \
    X(av_malloc)                                                                                                       \
    X(av_mallocz)                                                                                                      \
    X(av_strerror)

#define BF_AV_SCALE(X)                                                                                                 \
    X(sws_freeContext)                                                                                                 \
    X(sws_getCachedContext)                                                                                            \
    X(sws_getCoefficients)                                                                                             \
    X(sws_scale)                                                                                                       \
    X(sws_setColorspaceDetails)

#define BF_AV_ENTRY(name) __typeof__(name) *name##_;

struct bf_av_table {
    BF_AV_FORMAT(BF_AV_ENTRY)
    BF_AV_CODEC(BF_AV_ENTRY)
    BF_AV_UTIL(BF_AV_ENTRY)
    BF_AV_SCALE(BF_AV_ENTRY)
};

extern struct bf_av_table bf_av; /* written once, by the first bf_av_load */

#define av_find_best_stream bf_av.av_find_best_stream_
#define av_find_input_format bf_av.av_find_input_format_
#define av_read_frame bf_av.av_read_frame_
#define av_write_frame bf_av.av_write_frame_
#define av_write_trailer bf_av.av_write_trailer_
#define avformat_alloc_context bf_av.avformat_alloc_context_
#define avformat_alloc_output_context2 bf_av.avformat_alloc_output_context2_
#define avformat_close_input bf_av.avformat_close_input_
#define avformat_find_stream_info bf_av.avformat_find_stream_info_
#define avformat_free_context bf_av.avformat_free_context_
#define avformat_new_stream bf_av.avformat_new_stream_
#define avformat_open_input bf_av.avformat_open_input_
#define avformat_write_header bf_av.avformat_write_header_
#define avio_alloc_context bf_av.avio_alloc_context_
#define avio_context_free bf_av.avio_context_free_
#define avio_flush bf_av.avio_flush_
#define avio_seek bf_av.avio_seek_
#define av_grow_packet bf_av.av_grow_packet_
#define av_packet_alloc bf_av.av_packet_alloc_
#define av_packet_free bf_av.av_packet_free_
#define av_packet_make_writable bf_av.av_packet_make_writable_
#define av_packet_rescale_ts bf_av.av_packet_rescale_ts_
#define av_packet_unref bf_av.av_packet_unref_
#define avcodec_alloc_context3 bf_av.avcodec_alloc_context3_
#define avcodec_find_decoder bf_av.avcodec_find_decoder_
#define avcodec_find_encoder bf_av.avcodec_find_encoder_
#define avcodec_find_encoder_by_name bf_av.avcodec_find_encoder_by_name_
#define avcodec_free_context bf_av.avcodec_free_context_
#define avcodec_open2 bf_av.avcodec_open2_
#define avcodec_parameters_copy bf_av.avcodec_parameters_copy_
#define avcodec_parameters_to_context bf_av.avcodec_parameters_to_context_
#define avcodec_receive_frame bf_av.avcodec_receive_frame_
#define avcodec_receive_packet bf_av.avcodec_receive_packet_
#define avcodec_send_frame bf_av.avcodec_send_frame_
#define avcodec_send_packet bf_av.avcodec_send_packet_
#define av_asprintf bf_av.av_asprintf_
#define av_dict_free bf_av.av_dict_free_
#define av_dict_set bf_av.av_dict_set_
#define av_dict_set_int bf_av.av_dict_set_int_
#define av_frame_alloc bf_av.av_frame_alloc_
#define av_frame_free bf_av.av_frame_free_
#define av_frame_get_buffer bf_av.av_frame_get_buffer_
#define av_frame_make_writable bf_av.av_frame_make_writable_
#define av_frame_unref bf_av.av_frame_unref_
#define av_free bf_av.av_free_
#define av_freep bf_av.av_freep_
#define av_log_format_line2 bf_av.av_log_format_line2_
#define av_log_set_callback bf_av.av_log_set_callback_
#define av_malloc bf_av.av_malloc_
#define av_mallocz bf_av.av_mallocz_
#define av_strerror bf_av.av_strerror_
#define sws_freeContext bf_av.sws_freeContext_
#define sws_getCachedContext bf_av.sws_getCachedContext_
#define sws_getCoefficients bf_av.sws_getCoefficients_
#define sws_scale bf_av.sws_scale_
#define sws_setColorspaceDetails bf_av.sws_setColorspaceDetails_

#endif
