/* camera.js - a photo from the camera: a phone's own camera, else a viewfinder on the page. */

const camera = {stream: null};

/* A phone has its own; a viewfinder needs a page from this machine or by HTTPS. */
const hasOwnCamera = matchMedia("(pointer: coarse)").matches;

function canOpenCamera() {
  return hasOwnCamera || Boolean(navigator.mediaDevices?.getUserMedia);
}

function closeCamera() {
  camera.stream?.getTracks().forEach(track => track.stop());
  camera.stream = null;
  byId("viewfinder").srcObject = null;
  byId("camera-box").hidden = true;
}

const cameraErrors = {
  NotAllowedError: "the browser does not allow it", NotFoundError: "there is none", NotReadableError: "it is in use",
};

/* Shows what the camera sees. The reason why not is thrown. */
async function openCamera() {
  closeCamera();
  try {
    camera.stream = await navigator.mediaDevices.getUserMedia(
        {video: {facingMode: "environment", width: {ideal: 1280}, height: {ideal: 960}}});
  } catch (error) {
    throw new Error(`The camera: ${cameraErrors[error.name] || error.message}.`);
  }
  byId("viewfinder").srcObject = camera.stream;
  byId("camera-box").hidden = false;
  byId("shoot").focus({preventScroll: true});
  await byId("viewfinder").play();
}

/* A File of what the camera sees now. */
async function takeShot() {
  const video = byId("viewfinder"), canvas = element("canvas", {width: video.videoWidth, height: video.videoHeight});
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise(done => canvas.toBlob(done, "image/jpeg", 0.92));
  closeCamera();
  return new File([blob], "camera.jpg", {type: "image/jpeg"});
}

/* take([file]) gets the photo; refuse(error) why there is none. */
function listenToCamera(take, refuse) {
  byId("camera").addEventListener("click", () => {
    if (hasOwnCamera)
      byId("camera-file").click();
    else
      openCamera().catch(refuse);
  });
  byId("camera-file").addEventListener("change", event => {
    take([...event.target.files]);
    event.target.value = ""; /* the next photo may have the same name */
  });
  byId("shoot").addEventListener("click", async () => take([await takeShot()]));
  byId("camera-close").addEventListener("click", () => {
    closeCamera();
    byId("camera").focus();
  });
}
