// The Kubeflow UI shows a page in a frame without an address of its own (srcdoc): there, a link to a place in the page would
// load the Kubeflow UI itself into the frame. Everywhere else this does nothing.
document.addEventListener("click", function (event) {
  var link = event.target.closest('a[href^="#"]');
  var place = link && document.getElementById(link.getAttribute("href").slice(1));
  if (place && location.href.indexOf("about:") === 0) {
    event.preventDefault();
    place.scrollIntoView();
  }
});
