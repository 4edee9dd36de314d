#include "camera/source_libcamera.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <linux/dma-buf.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libcamera/libcamera.h>
#include <libcamera/logging.h>

extern "C" {
#include "base/log.h"
}

namespace lc = libcamera;

namespace {

/* One dma-buf, mapped from 0 to the end of its last plane. */
struct Mapping {
    int fd = -1; /* libcamera's */
    void *data = MAP_FAILED;
    size_t size = 0;

    Mapping() = default;
    Mapping(const Mapping &) = delete;
    Mapping &operator=(const Mapping &) = delete;
    Mapping(Mapping &&other) noexcept : fd(other.fd), data(other.data), size(other.size)
    {
        other.data = MAP_FAILED;
    }
    ~Mapping()
    {
        if (data != MAP_FAILED)
            munmap(data, size);
    }

    /* Tells the exporter when the processor begins and ends to use the memory; memory that is no dma-buf needs none. */
    void sync(uint64_t flags) const noexcept
    {
        struct dma_buf_sync s = {};
        s.flags = flags | DMA_BUF_SYNC_RW;
        ioctl(fd, DMA_BUF_IOCTL_SYNC, &s);
    }
};

struct Slot {
    std::unique_ptr<lc::Request> request;
    std::vector<Mapping> mappings;
    std::array<uint8_t *, 3> planes{};
};

std::string ids_of(const std::vector<std::shared_ptr<lc::Camera>> &cameras)
{
    std::string ids;

    for (size_t i = 0; i < cameras.size(); i++)
        ids += (i > 0 ? ", " : "") + std::to_string(i) + " (" + cameras[i]->id() + ")";

    return ids.empty() ? "none" : ids;
}

/* libcamera's own log lines become ours. Each comes in one call, on any thread:
 * "[time] [tid] LEVEL Category file: text". */
class LogLines final : public std::streambuf {
    std::streamsize xsputn(const char *text, std::streamsize size) override
    {
        const std::string_view line(text, static_cast<size_t>(size));
        const size_t brackets = line.find("] [");
        const size_t begin = line.find_first_not_of(' ', line.find(']', brackets == line.npos ? 0 : brackets + 3) + 1);
        if (begin == line.npos)
            return size;

        const std::string_view rest = line.substr(begin);
        char quoted[512];
        bf_log_quote(quoted, sizeof(quoted), std::string(rest.substr(0, rest.find_last_not_of('\n') + 1)).c_str());
        bf_log(level_of(rest), "libcamera says", "text=%s", quoted);
        return size;
    }

    int_type overflow(int_type c) override
    {
        return traits_type::not_eof(c);
    }

    static enum bf_log_level level_of(std::string_view line)
    {
        if (line.compare(0, 5, "ERROR") == 0 || line.compare(0, 5, "FATAL") == 0)
            return BF_LOG_ERROR;
        return line.compare(0, 4, "WARN") == 0 ? BF_LOG_WARNING : BF_LOG_DEBUG;
    }
};

void take_over_log()
{
    static LogLines lines;
    static std::ostream stream(&lines);
    static std::once_flag once;

    std::call_once(once, [] { lc::logSetStream(&stream); });
}

bool is_index(const std::string &sensor)
{
    return !sensor.empty() && sensor.size() < 4 && sensor.find_first_not_of("0123456789") == std::string::npos;
}

} // namespace

struct bf_libcamera {
    std::unique_ptr<lc::CameraManager> manager;
    std::shared_ptr<lc::Camera> camera;
    std::unique_ptr<lc::CameraConfiguration> config;
    std::unique_ptr<lc::FrameBufferAllocator> allocator;
    std::vector<Slot> slots;
    struct bf_libcamera_mode mode = {};
    std::array<uint32_t, 3> strides{};
    std::string id, model;
    uint32_t fps = 0;
    bool acquired = false, started = false;
    Slot *taken = nullptr;
    std::vector<lc::Request *> ready; /* what a take has in hand; capacities swap with `completed` */
    uint64_t dropped = 0;
    int wake = -1;

    /* Shared with libcamera's thread. */
    std::mutex mutex;
    std::vector<lc::Request *> completed; /* oldest first; its capacity is the number of slots */
    bool gone = false;

    bf_libcamera() = default;
    bf_libcamera(const bf_libcamera &) = delete;
    bf_libcamera &operator=(const bf_libcamera &) = delete;
    ~bf_libcamera();

    int open(const struct bf_libcamera_options &o, struct bf_error *e);
    int start(struct bf_error *e);
    int take(struct bf_frame *ret, uint64_t *ret_sensor_us, struct bf_error *e);
    int give_back(Slot &slot);
    void release();
    void stop();

  private:
    int collect(struct bf_error *e);
    int keep_newest(struct bf_error *e);
    int find(const std::string &sensor, struct bf_error *e);
    int configure(uint32_t width, uint32_t height, struct bf_error *e);
    int allocate(struct bf_error *e);
    int map(Slot &slot, const lc::FrameBuffer &buffer, struct bf_error *e);
    int place(Slot &slot, const lc::FrameBuffer &buffer, struct bf_error *e);
    void on_completed(lc::Request *request) noexcept;
    void on_disconnected() noexcept;
};

bf_libcamera::~bf_libcamera()
{
    stop();
    if (camera) {
        camera->requestCompleted.disconnect(this);
        camera->disconnected.disconnect(this);
    }
    slots.clear();
    allocator.reset();
    config.reset();
    if (acquired)
        camera->release();
    camera.reset();
    if (manager)
        manager->stop();
    if (wake >= 0)
        close(wake);
}

int bf_libcamera::find(const std::string &sensor, struct bf_error *e)
{
    const auto cameras = manager->cameras();

    if (is_index(sensor)) {
        const size_t index = std::stoul(sensor);
        if (index < cameras.size())
            camera = cameras[index];
    } else {
        camera = manager->get(sensor);
    }
    if (!camera)
        return bf_fail(e, -ENODEV,
                       "libcamera %s has no camera \"%s\": there are %s; set the camera's `sensor` to one of "
                       "them, and check the cable and that this user may open /dev/media* and /dev/video*",
                       lc::CameraManager::version().c_str(), sensor.c_str(), ids_of(cameras).c_str());

    id = camera->id();
    if (const auto name = camera->properties().get(lc::properties::Model))
        model = std::string(*name);
    return 0;
}

int bf_libcamera::configure(uint32_t width, uint32_t height, struct bf_error *e)
{
    config = camera->generateConfiguration({ lc::StreamRole::VideoRecording });
    if (!config || config->empty())
        return bf_fail(e, -ENOTSUP, "camera %s offers no video stream", id.c_str());

    lc::StreamConfiguration &stream = config->at(0);
    for (const lc::PixelFormat &wanted : { lc::formats::NV12, lc::formats::YUV420 }) {
        stream.pixelFormat = wanted;
        stream.size = lc::Size(width, height);
        stream.bufferCount = 4;
        if (config->validate() != lc::CameraConfiguration::Invalid && stream.pixelFormat == wanted)
            break;
    }
    if (stream.pixelFormat != lc::formats::NV12 && stream.pixelFormat != lc::formats::YUV420)
        return bf_fail(e, -ENOTSUP, "camera %s gives %s: expected one that gives NV12 or YUV420", id.c_str(),
                       stream.pixelFormat.toString().c_str());
    if (stream.size.width % 2 != 0 || stream.size.height % 2 != 0)
        return bf_fail(e, -ENOTSUP, "camera %s adjusts %ux%u to %s, which is not even: ask for another size",
                       id.c_str(), width, height, stream.size.toString().c_str());

    const int r = camera->configure(config.get());
    if (r < 0)
        return bf_fail(e, r, "camera %s refuses %s: %s", id.c_str(), stream.toString().c_str(), strerror(-r));

    const bool nv12 = stream.pixelFormat == lc::formats::NV12;
    mode.format = nv12 ? BF_NV12 : BF_I420;
    mode.width = stream.size.width;
    mode.height = stream.size.height;
    const uint32_t chroma = nv12 ? stream.stride : stream.stride / 2;
    strides = { stream.stride, chroma, nv12 ? 0 : chroma };
    return 0;
}

/* Planes often share one descriptor: each is mapped once. */
int bf_libcamera::map(Slot &slot, const lc::FrameBuffer &buffer, struct bf_error *e)
{
    std::map<int, size_t> ends;
    const auto &planes = buffer.planes();

    for (size_t i = 0; i < planes.size(); i++) {
        if (planes[i].length == 0)
            continue;
        if (planes[i].offset == lc::FrameBuffer::Plane::kInvalidOffset)
            return bf_fail(e, -ENOTSUP, "camera %s gives a buffer whose plane has no offset", id.c_str());
        size_t &end = ends[planes[i].fd.get()];
        end = std::max(end, static_cast<size_t>(planes[i].offset) + planes[i].length);
    }
    slot.mappings.reserve(ends.size());
    for (const auto &[fd, end] : ends) {
        Mapping m;
        m.fd = fd;
        m.size = end;
        m.data = mmap(nullptr, end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (m.data == MAP_FAILED)
            return bf_fail(e, -errno, "cannot map %zu bytes of a buffer of camera %s: %s", end, id.c_str(),
                           strerror(errno));
        slot.mappings.push_back(std::move(m));
    }
    return 0;
}

/* Where each plane begins. A buffer may describe its picture as one plane: then the others follow at once. */
int bf_libcamera::place(Slot &slot, const lc::FrameBuffer &buffer, struct bf_error *e)
{
    const size_t count = mode.format == BF_NV12 ? 2 : 3;
    const auto &planes = buffer.planes();
    const bool together = planes.size() == 1;
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t size = static_cast<size_t>(strides[i]) * (i == 0 ? mode.height : mode.height / 2);
        const size_t source = together ? 0 : i;
        if (source >= planes.size() || planes[source].length < at + size)
            return bf_fail(e, -ENOTSUP, "camera %s gives buffers that are too small for %ux%u", id.c_str(), mode.width,
                           mode.height);
        for (const Mapping &m : slot.mappings)
            if (m.fd == planes[source].fd.get())
                slot.planes[i] = static_cast<uint8_t *>(m.data) + planes[source].offset + at;
        at = together ? at + size : 0;
    }
    return 0;
}

int bf_libcamera::allocate(struct bf_error *e)
{
    lc::Stream *stream = config->at(0).stream();

    allocator = std::make_unique<lc::FrameBufferAllocator>(camera);
    const int allocated = allocator->allocate(stream);
    if (allocated <= 0)
        return bf_fail(e, allocated < 0 ? allocated : -ENOBUFS,
                       "camera %s has no memory for pictures: %s; it needs "
                       "/dev/dma_heap or the memory of its driver",
                       id.c_str(), strerror(allocated < 0 ? -allocated : ENOBUFS));

    const auto &buffers = allocator->buffers(stream);
    slots.resize(buffers.size());
    completed.reserve(buffers.size());
    ready.reserve(buffers.size());
    for (size_t i = 0; i < buffers.size(); i++) {
        Slot &slot = slots[i];
        slot.request = camera->createRequest(i);
        if (!slot.request || slot.request->addBuffer(stream, buffers[i].get()) < 0)
            return bf_fail(e, -EIO, "camera %s: a request for a picture could not be made", id.c_str());
        int r = map(slot, *buffers[i], e);
        if (r == 0)
            r = place(slot, *buffers[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

int bf_libcamera::open(const struct bf_libcamera_options &o, struct bf_error *e)
{
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0)
        return bf_fail(e, -errno, "no descriptor for a camera: %s", strerror(errno));

    take_over_log();
    fps = o.fps;
    manager = std::make_unique<lc::CameraManager>();
    int r = manager->start();
    if (r < 0) {
        manager.reset();
        return bf_fail(e, r, "libcamera does not start: %s", strerror(-r));
    }

    r = find(o.sensor, e);
    if (r < 0)
        return r;

    r = camera->acquire();
    if (r < 0)
        return bf_fail(e, r, "camera %s cannot be taken: %s", id.c_str(),
                       r == -EBUSY ? "another process has it" : strerror(-r));
    acquired = true;
    camera->requestCompleted.connect(this, &bf_libcamera::on_completed);
    camera->disconnected.connect(this, &bf_libcamera::on_disconnected);

    r = configure(o.width, o.height, e);
    return r < 0 ? r : allocate(e);
}

int bf_libcamera::start(struct bf_error *e)
{
    const lc::ControlInfoMap &known = camera->controls();
    lc::ControlList controls(known);
    const int64_t frame_us = 1000000 / fps;
    const std::array<int64_t, 2> limits = { frame_us, frame_us };

    if (known.find(lc::controls::FrameDurationLimits.id()) != known.end())
        controls.set(lc::controls::FrameDurationLimits, lc::Span<const int64_t, 2>(limits));
    if (known.find(lc::controls::AeEnable.id()) != known.end())
        controls.set(lc::controls::AeEnable, true);
    if (known.find(lc::controls::AfMode.id()) != known.end())
        controls.set(lc::controls::AfMode, static_cast<int32_t>(lc::controls::AfModeContinuous));

    int r = camera->start(&controls);
    if (r < 0)
        return bf_fail(e, r, "camera %s does not start: %s", id.c_str(), strerror(-r));
    started = true;

    for (Slot &slot : slots) {
        r = camera->queueRequest(slot.request.get());
        if (r < 0)
            return bf_fail(e, r, "camera %s takes no request: %s", id.c_str(), strerror(-r));
    }
    return 0;
}

/* On libcamera's thread: hands over, nothing else. Requests that a stop cancelled stay with their slot. */
void bf_libcamera::on_completed(lc::Request *request) noexcept
{
    if (request->status() == lc::Request::RequestCancelled)
        return;

    {
        const std::lock_guard<std::mutex> lock(mutex);
        completed.push_back(request);
    }
    eventfd_write(wake, 1);
}

void bf_libcamera::on_disconnected() noexcept
{
    {
        const std::lock_guard<std::mutex> lock(mutex);
        gone = true;
    }
    eventfd_write(wake, 1);
}

int bf_libcamera::give_back(Slot &slot)
{
    slot.request->reuse(lc::Request::ReuseBuffers);
    return camera->queueRequest(slot.request.get());
}

void bf_libcamera::release()
{
    if (taken == nullptr)
        return;

    for (const Mapping &m : taken->mappings)
        m.sync(DMA_BUF_SYNC_END);
    give_back(*std::exchange(taken, nullptr));
}

/* Moves what has completed into `ready`, oldest first. */
int bf_libcamera::collect(struct bf_error *e)
{
    const std::lock_guard<std::mutex> lock(mutex);
    eventfd_t ignored;

    eventfd_read(wake, &ignored);
    ready.clear();
    ready.swap(completed);
    return gone ? bf_fail(e, -ENODEV, "camera %s is gone", id.c_str()) : 0;
}

/* Keeps the newest of `ready`, unless it is damaged, and gives the others back. */
int bf_libcamera::keep_newest(struct bf_error *e)
{
    for (lc::Request *request : ready) {
        Slot &slot = slots[request->cookie()];
        const lc::FrameBuffer *buffer = request->buffers().begin()->second;
        if (request == ready.back() && buffer->metadata().status != lc::FrameMetadata::FrameError) {
            taken = &slot;
            return 0;
        }
        dropped++;
        const int r = give_back(slot);
        if (r < 0)
            return bf_fail(e, r, "camera %s takes no request: %s", id.c_str(), strerror(-r));
    }
    return -EAGAIN;
}

int bf_libcamera::take(struct bf_frame *ret, uint64_t *ret_sensor_us, struct bf_error *e)
{
    release();
    int r = collect(e);
    if (r == 0)
        r = keep_newest(e);
    if (r < 0)
        return r;

    for (const Mapping &m : taken->mappings)
        m.sync(DMA_BUF_SYNC_START);
    const lc::ControlList &metadata = taken->request->metadata();
    const auto stamp = metadata.get(lc::controls::SensorTimestamp);
    *ret_sensor_us = stamp && *stamp > 0 ? static_cast<uint64_t>(*stamp) / 1000 : 0;
    *ret = {};
    ret->format = mode.format;
    ret->width = mode.width;
    ret->height = mode.height;
    std::copy(taken->planes.begin(), taken->planes.end(), ret->planes);
    std::copy(strides.begin(), strides.end(), ret->strides);
    return 0;
}

void bf_libcamera::stop()
{
    if (!std::exchange(started, false))
        return;

    if (taken != nullptr)
        for (const Mapping &m : std::exchange(taken, nullptr)->mappings)
            m.sync(DMA_BUF_SYNC_END);
    camera->stop();

    const std::lock_guard<std::mutex> lock(mutex);
    completed.clear();
}

/* Runs `body`; what it throws becomes an error. */
template <typename Body> static int guarded(struct bf_error *e, const char *what, Body &&body) noexcept
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return bf_fail(e, -ENOMEM, "%s: no memory", what);
    } catch (const std::exception &x) {
        return bf_fail(e, -EIO, "%s: %s", what, x.what());
    } catch (...) {
        return bf_fail(e, -EIO, "%s: libcamera threw something unknown", what);
    }
}

int bf_libcamera_open(struct bf_libcamera **ret, const struct bf_libcamera_options *o, struct bf_error *e)
{
    return guarded(e, "opening the camera", [&] {
        auto c = std::make_unique<bf_libcamera>();
        const int r = c->open(*o, e);
        if (r == 0)
            *ret = c.release();
        return r;
    });
}

void bf_libcamera_mode_of(const struct bf_libcamera *c, struct bf_libcamera_mode *ret)
{
    *ret = c->mode;
}

const char *bf_libcamera_id(const struct bf_libcamera *c)
{
    return c->id.c_str();
}

const char *bf_libcamera_model(const struct bf_libcamera *c)
{
    return c->model.c_str();
}

int bf_libcamera_start(struct bf_libcamera *c, struct bf_error *e)
{
    return guarded(e, "starting the camera", [&] { return c->start(e); });
}

int bf_libcamera_fd(const struct bf_libcamera *c)
{
    return c->wake;
}

int bf_libcamera_take(struct bf_libcamera *c, struct bf_frame *ret, uint64_t *ret_sensor_us, struct bf_error *e)
{
    return guarded(e, "taking a picture", [&] { return c->take(ret, ret_sensor_us, e); });
}

void bf_libcamera_release(struct bf_libcamera *c)
{
    guarded(nullptr, "giving a picture back", [&] {
        c->release();
        return 0;
    });
}

uint64_t bf_libcamera_dropped(const struct bf_libcamera *c)
{
    return c->dropped;
}

void bf_libcamera_stop(struct bf_libcamera *c)
{
    guarded(nullptr, "stopping the camera", [&] {
        c->stop();
        return 0;
    });
}

void bf_libcamera_close(struct bf_libcamera *c)
{
    guarded(nullptr, "closing the camera", [&] {
        delete c;
        return 0;
    });
}

const char *bf_libcamera_version(void)
{
    return lc::CameraManager::version().c_str();
}
